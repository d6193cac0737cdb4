// The admin port: the dashboard, health, metrics and the ledger over HTTP, for people, scripts and Prometheus.
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { addPage } from './assets.ts'
import { addRiver, type RiverSources } from './river.ts'

export interface AdminSources {
  /** Bare, and answering for errors by itself. */
  readonly server: FastifyInstance
  readonly ready: () => boolean
  readonly health: () => { readonly status: 'ok' | 'degraded'; readonly reasons: readonly string[] }
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
  /** `GET /api/<name>`: whatever the function gives, as JSON. */
  readonly api: Readonly<Record<string, () => unknown>>
  readonly river: Omit<RiverSources, 'health' | 'events'>
  /** Routes that other rooms bring. */
  readonly plugins?: readonly FastifyPluginAsync[]
  /** Calls back for every event until the returned function is called. */
  readonly events: (listener: (event: string, fields: object) => void) => () => void
}

/** Events a slow reader may have unread before its stream is ended. */
const maxUnreadBytes = 256 * 1024

export function createAdmin({ server, ready, health, metrics, api, events, river, plugins = [] }: AdminSources): FastifyInstance {
  server.get('/healthz', () => health())
  server.get('/readyz', (_request, reply) => reply.code(ready() ? 200 : 503).send({ ready: ready() }))
  server.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await metrics()
    return reply.type(contentType).send(text)
  })
  for (const [name, source] of Object.entries(api)) server.get(`/api/${name}`, async () => source())

  server.get('/api/events', (request, reply) => {
    reply.hijack()
    const stream = reply.raw
    stream.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }).flushHeaders()
    const stop = events((event, fields) => {
      if (stream.writableLength > maxUnreadBytes) return stream.destroy()
      stream.write(`event: ${event}\ndata: ${JSON.stringify(fields)}\n\n`)
    })
    request.raw.on('close', stop)
  })

  addPage(server)
  addRiver(server, { ...river, health, events })

  for (const plugin of plugins) server.register(plugin)
  return server
}
