// `POST /api/devices/<clientId>/commands/<name>`: asks a device over HTTP, on the admin port.
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { parseDuration } from '../../lib/units.ts'
import { GatewayError } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { createProblems } from './problem.ts'

/** The side of the commands that this needs. */
export interface AskedCommand {
  readonly correlationId: string
  readonly device: string
  readonly name: string
  readonly reply: Promise<CommandReply>
  readonly settled: () => CommandReply | GatewayError | undefined
}

export interface CommandReply {
  readonly payload: Uint8Array
  readonly contentType?: string
  readonly ms: number
}

export interface CommandsHttpOptions {
  readonly ask: (command: {
    readonly device: string
    readonly name: string
    readonly payload: Uint8Array
    readonly timeoutMs?: number
    readonly async: boolean
    readonly idempotencyKey?: string
  }) => Promise<AskedCommand>
  readonly find: (correlationId: string) => AskedCommand | undefined
  readonly observe: Observe
  readonly uuid: () => string
}

interface Params {
  readonly device: string
  readonly name: string
  readonly id: string
}

const maxPayloadBytes = 128 * 1024
const maxTimeoutMs = 600_000

export function createCommandsHttp({ ask, find, observe, uuid }: CommandsHttpOptions): FastifyPluginAsync {
  const problems = createProblems({ observe, uuid })
  return async (server) => {
    server.setErrorHandler((error, request, reply) => problems.send(error, request, reply))
    // The payload is the device's affair, whatever its content type.
    server.removeAllContentTypeParsers()
    server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

    server.post('/api/devices/:device/commands/:name', { bodyLimit: maxPayloadBytes }, async (request, reply) => {
      const { device, name } = request.params as Params
      const wantsAsync = preferences(request).includes('respond-async')
      const timeoutMs = timeoutOf(request)
      const key = request.headers['idempotency-key']
      const asked = await ask({
        ...{ device, name, async: wantsAsync },
        payload: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        ...(typeof key === 'string' ? { idempotencyKey: key } : {}),
      })
      if (!wantsAsync) return answer(reply, asked.correlationId, await asked.reply)
      return pending(reply, asked).header('preference-applied', 'respond-async')
    })

    server.get('/api/devices/:device/commands/:name/:id', async (request, reply) => {
      const { device, name, id } = request.params as Params
      const asked = find(id)
      if (!asked || asked.device !== device || asked.name !== name) throw new GatewayError('NOT_FOUND', 'no such command')
      const outcome = asked.settled()
      if (outcome instanceof GatewayError) throw outcome
      return outcome ? answer(reply, id, outcome) : pending(reply, asked)
    })
  }
}

function pending(reply: FastifyReply, { correlationId, device, name }: AskedCommand): FastifyReply {
  const location = `/api/devices/${encodeURIComponent(device)}/commands/${encodeURIComponent(name)}/${correlationId}`
  return reply.code(202).header('location', location).header('x-correlation-id', correlationId).send({ correlationId, status: 'pending' })
}

/** The device's own bytes. Text that is JSON says so. */
function answer(reply: FastifyReply, correlationId: string, { payload, contentType, ms }: CommandReply): FastifyReply {
  const bytes = Buffer.from(payload)
  return reply
    .header('x-correlation-id', correlationId)
    .header('x-response-ms', ms.toFixed(1))
    .header('x-content-type-options', 'nosniff')
    .type(safeType(contentType) ?? (isJson(bytes) ? 'application/json' : 'application/octet-stream'))
    .send(bytes)
}

/** A device does not get to serve pages from the admin port. */
const safeType = (contentType: string | undefined) =>
  contentType !== undefined && /^(application\/(json|cbor|octet-stream)|text\/plain)$/.test(contentType) ? contentType : undefined

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString())
    return true
  } catch {
    return false
  }
}

/** [RFC 7240] */
function preferences({ headers: { prefer = [] } }: FastifyRequest): readonly string[] {
  return [prefer].flat().flatMap((text) => text.toLowerCase().split(/[,;]\s*/))
}

/** `?timeout=5s`, or `Prefer: wait=5`. */
function timeoutOf(request: FastifyRequest): number | undefined {
  const { timeout } = request.query as { readonly timeout?: unknown }
  const wait = preferences(request).find((text) => text.startsWith('wait='))
  if (timeout === undefined && wait === undefined) return undefined
  const ms = timeout === undefined ? Number(wait!.slice('wait='.length)) * 1_000 : parseDuration(String(timeout))
  if (ms === undefined || !(ms > 0) || ms > maxTimeoutMs)
    throw new GatewayError('REQUEST_INVALID', 'timeout must be a duration such as 500ms or 5s, at most 10m')
  return ms
}
