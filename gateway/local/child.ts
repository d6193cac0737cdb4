// The process that holds the embedded SQS and SNS. Lives and dies with the gateway that forked it.
import { Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Server } from 'node:net'
import { join } from 'node:path'
import { startFauxqs } from 'fauxqs'
import { makePrivateSync } from '../../lib/private-files.ts'
import { codes } from '../errors.ts'
import { createGuards } from '../listen/trust.ts'

const [port = '0', host = '127.0.0.1', region = 'us-east-1', dataDir = '', ...allowHosts] = process.argv.slice(2)

// Its database holds what devices sent.
process.umask(0o077)

// fauxqs listens on every interface and has no option for it; queues without a password belong on loopback.
const { listen } = Server.prototype
Server.prototype.listen = function (this: Server, ...args: unknown[]) {
  const [options, ...rest] = args
  if (this instanceof HttpServer) protect(this)
  return listen.apply(this, [typeof options === 'object' ? { ...options, host } : options, ...rest] as never)
} as typeof listen

const guardOf = createGuards({ allowHosts, observe: { record: (_event, untrusted) => process.send?.({ untrusted }) } })
/** No body that SQS takes needs longer. */
const timeouts = { headersTimeout: 10_000, requestTimeout: 30_000 }

/** fauxqs verifies no signature, so every caller is trusted: web pages must not get as far as its routes. */
function protect(server: HttpServer): void {
  const guard = guardOf('local', 'everyone')
  const [handle] = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const refusal = guard(request)
    if (!refusal) return handle!(request, response)
    const { status, means } = codes[refusal.code]
    response.writeHead(status, { 'content-type': 'application/problem+json', connection: 'close' })
    response.end(JSON.stringify({ title: refusal.code, status, detail: means }))
  })
  Object.assign(server, timeouts)
}

// A terminal sends Ctrl-C to the whole group: the gateway still has messages to deliver, so only it may say when to end.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.exit(0))

try {
  if (dataDir) for (const end of ['', '-wal', '-shm', '-journal']) makePrivateSync(join(dataDir, `fauxqs.db${end}`))
  const server = await startFauxqs({ port: Number(port), defaultRegion: region, logger: false, ...(dataDir ? { dataDir } : {}) })
  process.on('message', async () => {
    await server.stop()
    process.exit(0)
  })
  process.send?.({ port: server.port })
} catch (error) {
  process.send?.({ error: (error as NodeJS.ErrnoException).code ?? String(error) })
  process.exit(1)
}
