// A broker on a free port of this machine that remembers what it was sent.
import { createServer, type Socket } from 'node:net'
import { Aedes } from 'aedes'

export interface Published {
  readonly clientId: string
  readonly topic: string
  readonly payload: Buffer
  readonly qos: number
}

export interface TestBroker extends AsyncDisposable {
  readonly url: string
  readonly published: readonly Published[]
  readonly aedes: Aedes
  /** Cuts every connection. */
  cutAll(): void
  /** Bytes that crossed all sockets, as the server counted them. */
  bytes(): { readonly read: number; readonly written: number }
}

export async function startBroker(): Promise<TestBroker> {
  const aedes = await Aedes.createBroker({ concurrency: 0 })
  const published: Published[] = []
  aedes.on('publish', (packet, client) => {
    if (client) published.push({ clientId: client.id, topic: packet.topic, payload: Buffer.from(packet.payload), qos: packet.qos })
  })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    aedes.handle(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `mqtt://127.0.0.1:${port}`,
    published,
    aedes,
    cutAll() {
      for (const socket of sockets) socket.destroy()
    },
    bytes: () => ({
      read: [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0),
      written: [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    }),
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => aedes.close(resolve))
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
