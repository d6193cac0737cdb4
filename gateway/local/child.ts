// The process that holds the embedded SQS and SNS. Lives and dies with the gateway that forked it.
import { Server } from 'node:net'
import { startFauxqs } from 'fauxqs'

const [port = '0', host = '127.0.0.1', region = 'us-east-1', dataDir = ''] = process.argv.slice(2)

// fauxqs listens on every interface and has no option for it; queues without a password belong on loopback.
const { listen } = Server.prototype
Server.prototype.listen = function (this: Server, ...args: unknown[]) {
  const [options, ...rest] = args
  return listen.apply(this, [typeof options === 'object' ? { ...options, host } : options, ...rest] as never)
} as typeof listen

// A terminal sends Ctrl-C to the whole group: the gateway still has messages to deliver, so only it may say when to end.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.exit(0))

try {
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
