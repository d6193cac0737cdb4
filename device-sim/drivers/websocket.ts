// The raw WebSocket driver: readings as JSON frames in API Gateway's manner, acknowledged by id.
import type { Driver, DriverKind, DriverOptions, Reading, Session } from './driver.ts'
import type { OpenWebSocket } from './web-socket.ts'
import { createWiring } from './wire.ts'

export const websocket = {
  summary: 'Raw WebSocket: {"action":"publish","topic","payload","id"} and an answer with the same id.',
  schemes: ['ws:', 'wss:'],
  target: 'ws://127.0.0.1:8082',
  create: createWebSocketDriver,
} satisfies DriverKind

function createWebSocketDriver(options: DriverOptions): Driver {
  const wiring = createWiring()
  return {
    wire: wiring.wire,
    async connect(clientId, signal) {
      signal.throwIfAborted()
      const { openWebSocket } = await import('./web-socket.ts')
      const target = new URL(options.target)
      target.searchParams.set('clientId', clientId)
      return toSession(await openWebSocket(clientId, { ...options, target }, wiring, undefined, signal))
    },
    stop: () => undefined,
  }
}

function toSession({ socket, cut }: OpenWebSocket): Session {
  const waiting = new Map<string, { resolve(): void; reject(reason: Error): void }>()
  let lastId = 0
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      for (const { reject } of waiting.values()) reject(new Error('the connection was closed'))
      waiting.clear()
      resolve()
    })
  })
  socket.on('error', () => undefined)
  socket.on('message', (data) => {
    const answer = parseAnswer(String(data))
    const waiter = waiting.get(answer?.id ?? '')
    if (!answer || !waiter) return
    waiting.delete(answer.id)
    if (answer.error === undefined) waiter.resolve()
    else waiter.reject(new Error(answer.error))
  })
  return {
    publish: (reading) =>
      new Promise((resolve, reject) => {
        if (socket.readyState !== socket.OPEN) return reject(new Error('the connection was closed'))
        const id = String(++lastId)
        if (reading.qos === 1) waiting.set(id, { resolve, reject })
        socket.send(toFrame(reading, id), (error) => {
          if (reading.qos === 0) error ? reject(error) : resolve()
        })
      }),
    closed,
    async close() {
      socket.close(1000)
      await closed
    },
    cut,
    pause: (on) => (on ? socket.pause() : socket.resume()),
  }
}

/** Text as it is; bytes that are no text as base64, said so. */
function toFrame({ topic, payload, qos }: Reading, id: string): string {
  const text = Buffer.from(payload).toString()
  const isText = Buffer.from(text).equals(payload)
  return JSON.stringify({
    action: 'publish',
    topic,
    qos,
    id,
    ...(isText ? { payload: text } : { payload: Buffer.from(payload).toString('base64'), encoding: 'base64' }),
  })
}

/** `{id}` means accepted; `{id, error}`, or a code of 400 and above as `statusCode`, means refused. */
function parseAnswer(text: string): { readonly id: string; readonly error?: string } | undefined {
  try {
    const { id, error, message, statusCode } = JSON.parse(text) as Record<string, unknown>
    const refused = error ?? (Number(statusCode) >= 400 ? (message ?? statusCode) : undefined)
    return { id: String(id), ...(refused === undefined ? {} : { error: String(refused) }) }
  } catch {
    return undefined
  }
}
