// Servers on a free port of this machine that remember what devices sent: a broker over TCP, TLS or WebSocket, and stand-ins for the other doors.
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTls, type TlsOptions } from 'node:tls'
import { Aedes } from 'aedes'
import { createWebSocketStream, WebSocketServer } from 'ws'

export interface Published {
  readonly clientId: string
  readonly topic: string
  readonly payload: Buffer
  readonly qos: number
}

export interface TestServer extends AsyncDisposable {
  readonly port: number
  readonly published: readonly Published[]
  /** Cuts every connection. */
  cutAll(): void
  /** Bytes that crossed all sockets, as the server counted them. */
  bytes(): { readonly read: number; readonly written: number }
}

export interface TestBroker extends TestServer {
  readonly url: string
  readonly aedes: Aedes
}

export async function startBroker(over: 'tcp' | 'tls' | 'ws' | 'wss' = 'tcp', tls: TlsOptions = {}): Promise<TestBroker> {
  const aedes = await Aedes.createBroker({ concurrency: 0 })
  const published: Published[] = []
  // The event `publish` may come after the PUBACK.
  aedes.authorizePublish = (client, packet, done) => {
    if (client) published.push({ clientId: client.id, topic: packet.topic, payload: Buffer.from(packet.payload), qos: packet.qos })
    done(null)
  }
  const server = {
    tcp: () => createServer(aedes.handle),
    tls: () => createTls(tls, aedes.handle),
    ws: () => createHttp(),
    wss: () => createHttps(tls),
  }[over]()
  if (over === 'ws' || over === 'wss') {
    new WebSocketServer({ server: server as never }).on('connection', (socket) => aedes.handle(createWebSocketStream(socket)))
  }
  const base = await listen(server, published)
  const scheme = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' }[over]
  return {
    ...base,
    aedes,
    url: `${scheme}://127.0.0.1:${base.port}`,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => aedes.close(resolve))
      await base[Symbol.asyncDispose]()
    },
  }
}

/** Answers `POST /topics/<topic>?qos=` as IoT Core does. */
export async function startHttpDoor(tls?: TlsOptions): Promise<TestServer> {
  const published: Published[] = []
  const server = tls ? createHttps(tls) : createHttp()
  server.on('request', async (request, response) => {
    const url = new URL(request.url ?? '', 'http://here')
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    if (request.method !== 'POST' || !url.pathname.startsWith('/topics/')) return response.writeHead(404).end()
    const topic = decodeURIComponent(url.pathname.slice('/topics/'.length))
    published.push({
      clientId: String(request.headers['x-client-id']),
      topic,
      payload: Buffer.concat(chunks),
      qos: Number(url.searchParams.get('qos')),
    })
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"message":"OK"}')
  })
  return listen(server, published)
}

/** Answers `{action:'publish', topic, payload, id}` with `{id}`. */
export async function startWebSocketDoor(): Promise<TestServer> {
  const published: Published[] = []
  const server = createHttp()
  new WebSocketServer({ server }).on('connection', (socket, request) => {
    const clientId = new URL(request.url ?? '', 'http://here').searchParams.get('clientId') ?? ''
    socket.on('message', (data) => {
      const { action, topic, payload, qos, id, encoding } = JSON.parse(String(data))
      if (action !== 'publish') return socket.send(JSON.stringify({ id, error: 'unknown action' }))
      published.push({ clientId, topic, qos, payload: Buffer.from(payload, encoding === 'base64' ? 'base64' : 'utf8') })
      if (qos === 1) socket.send(JSON.stringify({ id }))
    })
  })
  return listen(server, published)
}

async function listen(server: Server, published: readonly Published[]): Promise<TestServer> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    published,
    cutAll() {
      for (const socket of sockets) socket.destroy()
    },
    bytes: () => ({
      read: [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0),
      written: [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
