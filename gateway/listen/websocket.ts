// The raw WebSocket door, in the manner of API Gateway's WebSocket APIs: JSON frames in, an answer for each that has an id.
import type { IncomingMessage } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import type { Access, Session } from '../access/access.ts'
import { GatewayError, textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { credentialsOf } from './credentials.ts'
import { type Address, type Door, drainingError, toDoor } from './door.ts'
import { problemCode, toProblem } from './problem.ts'
import type { Publication, Publisher } from './publisher.ts'
import type { TlsFiles } from './tls.ts'
import type { Guard } from './trust.ts'
import { createUpgradeServer } from './upgrade.ts'

/*
   $connect     GET /?token=<name>.<secret>     or header Authorization, or the device's certificate
   ▶ {"action":"publish","topic":"a/b","payload":{"x":1},"qos":1,"id":"7"}
   ◀ {"id":"7","statusCode":200}                            when it is durable
   ◀ {"id":"7","statusCode":403,"error":"NOT_AUTHORIZED","message":"…","instance":"urn:uuid:…"}
   ▶ {"action":"ping","id":"8"}
   ◀ {"id":"8","statusCode":200,"action":"pong"}
*/
export interface WebSocketDoorOptions extends Address {
  readonly access: Access
  readonly publish: Publisher
  readonly observe: Observe
  readonly clock: Pick<Clock, 'monotonic' | 'every'>
  readonly uuid: () => string
  readonly guard: Guard
  readonly tls?: TlsFiles
  readonly limits?: WebSocketLimits
}

export interface WebSocketLimits {
  /** A connection on which nothing arrives is closed with 1001. */
  readonly idleMs: number
  /** A connection is closed with 1001 at this age. */
  readonly lifeMs: number
  /** Control pings that find out whether anybody is there. They are no activity. */
  readonly pingMs: number
  readonly maxFrameBytes: number
}

/** [API Gateway quotas, WebSocket APIs]: ten minutes, two hours, 128 KB. */
const quotas: WebSocketLimits = { idleMs: 600_000, lifeMs: 7_200_000, pingMs: 30_000, maxFrameBytes: 131_072 }

/** [RFC 6455 §7.4.1] */
const goingAway = 1001
const policyViolation = 1008
/** Publishes of a connection that wait for the disk before more is read from it. */
const maxOpen = 1_000

const frameSchema = z.discriminatedUnion('action', [
  z.object({
    action: z.literal('publish'),
    topic: z.string(),
    payload: z.unknown().optional(),
    encoding: z.literal('base64').optional(),
    qos: z.literal([0, 1]).default(1),
    retain: z.boolean().default(false),
    id: z.union([z.string().max(128), z.number()]).optional(),
  }),
  z.object({ action: z.literal('ping'), id: z.union([z.string().max(128), z.number()]).optional() }),
])

type Frame = z.infer<typeof frameSchema>
type PublishFrame = Extract<Frame, { action: 'publish' }>

interface Line {
  readonly socket: WebSocket
  readonly session: Session
  readonly since: number
  heardAt: number
  /** Pings sent since the last sign of life. */
  unanswered: number
  /** Publishes and answers that are not finished. */
  open: number
}

export function createWebSocketDoor(options: WebSocketDoorOptions): Door {
  const { access, publish, observe, clock, uuid, tls, guard, limits = quotas, ...address } = options
  const transport = 'websocket'
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false, maxPayload: limits.maxFrameBytes })
  const lines = new Set<Line>()
  let draining = false

  const server = createUpgradeServer({
    ...{ transport, guard, observe, uuid, tls },
    async upgrade(request, socket, head) {
      const token = tokenOf(request)
      const session = await access.enter({ transport, ...credentialsOf(request), ...(token === undefined ? {} : { token }) })
      if (draining) throw drainingError()
      webSockets.handleUpgrade(request, socket, head, (webSocket) => serve(webSocket, session))
    },
  })

  /** What a client hears of an error, and its number in the log. */
  const told = (error: unknown) => {
    const code = problemCode(error)
    const id = uuid()
    observe.record('request.refused', { code, instance: id, transport, detail: textOf(error) })
    return { code, id }
  }

  /** Closes a connection that waits for no answer. */
  const leave = ({ socket, open }: Line) => {
    if (open === 0) socket.close(goingAway, 'Going away')
  }

  const serve = (socket: WebSocket, session: Session) => {
    const now = clock.monotonic()
    const line: Line = { socket, session, since: now, heardAt: now, unanswered: 0, open: 0 }
    lines.add(line)
    const settle = (by: 1 | -1) => {
      line.open += by
      if (line.open >= maxOpen) socket.pause()
      else if (socket.isPaused && line.open <= maxOpen / 2) socket.resume()
      if (draining) leave(line)
    }
    /** Open until the socket has taken it: a client that does not read is not read either. */
    const answer = (body: object) => {
      if (socket.readyState !== socket.OPEN) return
      settle(1)
      socket.send(JSON.stringify(body), () => settle(-1))
    }
    const handle = async (text: string) => {
      let id: unknown
      try {
        const value = parseJson(text)
        id = (value as { readonly id?: unknown } | null)?.id
        const frame = toFrame(value)
        if (draining) throw drainingError()
        if (frame.action === 'ping') return answer({ ...named(id), statusCode: 200, action: 'pong' })
        settle(1)
        await publish(session, toPublication(frame)).finally(() => settle(-1))
        if (id !== undefined) answer({ ...named(id), statusCode: 200 })
      } catch (error) {
        const { code, id: instance } = told(error)
        const { status, detail, instance: urn } = toProblem(code, instance)
        answer({ ...named(id), statusCode: status, error: code, message: detail, instance: urn })
      }
    }
    socket.on('message', (data, isBinary) => {
      line.heardAt = clock.monotonic()
      line.unanswered = 0
      // API Gateway has text frames only.
      void handle(isBinary ? '' : data.toString())
    })
    socket.on('ping', (data) => {
      settle(1)
      socket.pong(data, false, () => settle(-1))
    })
    socket.on('pong', () => {
      line.unanswered = 0
    })
    socket.on('error', (error) => observe.record('client.failed', { code: 'PROTOCOL', transport, detail: error.message }))
    socket.once('close', () => lines.delete(line))
  }

  const check = () => {
    const now = clock.monotonic()
    for (const line of lines) {
      const { socket, since, heardAt } = line
      if (line.unanswered > 2) socket.terminate()
      else if (now - since >= limits.lifeMs || now - heardAt >= limits.idleMs) socket.close(goingAway, 'Going away')
      else {
        line.unanswered++
        socket.ping()
      }
    }
  }

  const cutRevoked = () => {
    for (const { socket, session } of lines) {
      const revoked = session.revoked()
      if (!revoked || socket.readyState !== socket.OPEN) continue
      const { clientId } = session.source
      observe.record('client.revoked', { clientId, transport, code: revoked.code, detail: revoked.message, ...revoked.details })
      socket.close(policyViolation, 'Revoked')
    }
  }

  const door = toDoor(server, address, observe)
  let stopChecks = () => {}
  let stopListening = () => {}
  return {
    start() {
      stopChecks = clock.every(limits.pingMs, check)
      stopListening = access.onChange(cutRevoked)
      return door.start()
    },
    drain() {
      draining = true
      door.drain()
      for (const line of lines) leave(line)
    },
    stop() {
      stopChecks()
      stopListening()
      return door.stop()
    },
  }
}

/** Browsers cannot set headers on a WebSocket, so a token may be in the query. */
function tokenOf({ url = '' }: IncomingMessage): string | undefined {
  return new URLSearchParams(url.split('?', 2)[1] ?? '').get('token') ?? undefined
}

const named = (id: unknown) => (typeof id === 'string' || typeof id === 'number' ? { id } : {})

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new GatewayError('REQUEST_INVALID', 'a frame must be a JSON text')
  }
}

function toFrame(value: unknown): Frame {
  const { data, error } = frameSchema.safeParse(value)
  if (error)
    throw new GatewayError(
      'REQUEST_INVALID',
      `the frame does not fit: ${error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; ')}`,
    )
  return data
}

/** Text is the payload as it is, base64 is bytes, any other JSON is its text. */
function toPublication({ topic, payload, encoding, qos, retain }: PublishFrame): Publication {
  return { topic, qos, retain, payload: toBytes(payload, encoding) }
}

function toBytes(payload: unknown, encoding: 'base64' | undefined): Buffer {
  if (encoding === 'base64') {
    if (typeof payload !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(payload))
      throw new GatewayError('REQUEST_INVALID', 'payload must be base64')
    return Buffer.from(payload, 'base64')
  }
  if (payload === undefined) return Buffer.alloc(0)
  return Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))
}
