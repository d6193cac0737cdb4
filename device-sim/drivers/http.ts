// The HTTP drivers: every reading is a POST to /topics/<topic> on the device's own kept-alive connection.
import { Agent, type ClientRequestArgs, request } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Driver, DriverKind, DriverOptions, Reading, Session } from './driver.ts'
import { createWiring, opened, secure, type Wiring } from './wire.ts'

export const http = {
  summary: 'HTTP: POST /topics/<topic>?qos= for every reading.',
  schemes: ['http:'],
  target: 'http://127.0.0.1:8081',
  create: createHttpDriver,
} satisfies DriverKind

export const https = {
  summary: 'HTTPS: POST /topics/<topic>?qos= for every reading, with a certificate for each device.',
  schemes: ['https:'],
  target: 'https://127.0.0.1:8443',
  create: createHttpDriver,
} satisfies DriverKind

function createHttpDriver(options: DriverOptions): Driver {
  const wiring = createWiring()
  return {
    wire: wiring.wire,
    async connect(clientId, signal) {
      signal.throwIfAborted()
      const line = createLine(clientId, options, wiring)
      await line.open(signal)
      return toSession(clientId, options, line)
    },
    stop: () => undefined,
  }
}

interface Line {
  readonly agent: Agent
  open(signal: AbortSignal): Promise<void>
  /** The connection that nobody has used yet too. */
  end(): void
  cut(): void
}

/** One connection at a time; the first is made before there is anything to say, so that a target that is not there shows. */
function createLine(clientId: string, options: DriverOptions, wiring: Wiring): Line {
  const { target } = options
  const isSecure = target.protocol === 'https:'
  let ready: Duplex | undefined
  let raw: ReturnType<Wiring['dial']> | undefined
  const dial = async (): Promise<Duplex> => {
    raw = wiring.dial(target, isSecure ? 443 : 80)
    return isSecure ? secure(raw, target, clientId, options) : raw
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agent.createConnection = (_: ClientRequestArgs, done) => {
    const first = ready?.destroyed === false ? ready : undefined
    ready = undefined
    const next = first ? Promise.resolve(first) : dial()
    next.then(
      (stream) => done?.(null, stream),
      (error) => done?.(error, undefined as never),
    )
    return undefined
  }
  return {
    agent,
    async open(signal) {
      ready = await dial()
      ready.on('error', () => undefined)
      await opened(ready as NonNullable<typeof raw>, signal).catch((error) => {
        raw?.destroy()
        throw error
      })
    },
    end() {
      agent.destroy()
      if (ready) raw?.destroy()
    },
    cut: () => raw?.resetAndDestroy(),
  }
}

function toSession(clientId: string, { target }: DriverOptions, { agent, end: endLine, cut }: Line): Session {
  let end: () => void = () => undefined
  const closed = new Promise<void>((resolve) => {
    end = resolve
  })
  let isOpen = true
  // One at a time and in order, as a device with one connection can.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = (reading: Reading) => {
    const posted = last.then(() => post(reading, clientId, target, agent))
    last = posted.catch(() => undefined)
    return posted
  }
  const finish = () => {
    isOpen = false
    endLine()
    end()
  }
  return {
    publish: (reading) => (isOpen ? inTurn(reading) : Promise.reject(new Error('the session is closed'))),
    closed,
    async close() {
      finish()
    },
    cut() {
      cut()
      finish()
    },
  }
}

function post({ topic, payload, qos }: Reading, clientId: string, target: URL, agent: Agent): Promise<void> {
  const path = `${target.pathname.replace(/\/$/, '')}/topics/${topic.split('/').map(encodeURIComponent).join('/')}?qos=${qos}`
  const headers = {
    host: target.host,
    'content-type': 'application/octet-stream',
    'content-length': payload.length,
    'x-client-id': clientId,
  }
  return new Promise((resolve, reject) => {
    const sent = request({ method: 'POST', path, agent, headers }, (response) => {
      response.resume()
      response.once('error', reject)
      response.once('end', () => (response.statusCode! < 300 ? resolve() : reject(new Error(`answered ${response.statusCode}`))))
    })
    sent.once('error', reject)
    sent.end(payload)
  })
}
