// The admin port: the dashboard, health, metrics and the ledger over HTTP, for people, scripts and Prometheus.
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { addPage } from './assets.ts'
import { createReaders } from './readers.ts'
import { addRiver, type RiverSources } from './river.ts'

export interface AdminSources {
  /** Bare, and answering for errors by itself. */
  readonly server: FastifyInstance
  readonly ready: () => boolean
  readonly health: () => { readonly status: 'ok' | 'degraded'; readonly reasons: readonly string[] }
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
  /** `GET /api/<name>`: whatever the function gives, as JSON. */
  readonly api: Readonly<Record<string, () => unknown>>
  /** Marks lost messages as known to a person. Resolves with the number of losses. */
  readonly confirmLosses: () => Promise<number>
  readonly river: Omit<RiverSources, 'health' | 'events' | 'readers'>
  /** Routes that other rooms bring. */
  readonly plugins?: readonly FastifyPluginAsync[]
  /** Calls back for every event until the returned function is called. */
  readonly events: (listener: (event: string, fields: object) => void) => () => void
}

export function createAdmin(sources: AdminSources): FastifyInstance {
  const { server, ready, health, metrics, api, confirmLosses, events, river, plugins = [] } = sources
  server.get('/healthz', () => health())
  server.get('/readyz', (_request, reply) => reply.code(ready() ? 200 : 503).send({ ready: ready() }))
  server.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await metrics()
    return reply.type(contentType).send(text)
  })
  for (const [name, source] of Object.entries(api)) server.get(`/api/${name}`, async () => source())
  server.post('/api/losses/confirm', async () => ({ confirmed: await confirmLosses() }))

  const readers = createReaders()
  server.get('/api/events', (request, reply) => {
    const reader = readers.open(request, reply, () => stop())
    const stop = events((event, fields) => reader.send(event, fields))
  })

  addPage(server)
  addRiver(server, { ...river, health, events, readers })

  for (const plugin of plugins) server.register(plugin)
  return server
}
