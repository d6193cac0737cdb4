// Every code of the catalogue: those that clients see are provoked at a real door, of the others it is said why no client sees them.
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connectAsync, type IClientOptions } from 'mqtt'
import type { Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { hashSecret } from '../../gateway/access/secrets.ts'
import { codes, type ErrorCode } from '../../gateway/errors.ts'
import { insideOf } from '../helpers/inside.ts'
import { aDevice } from '../helpers/mqtt-client.ts'
import { aDirectory, aGatewayProcess } from '../helpers/program.ts'
import { aPublish, aRawDevice } from '../helpers/raw-mqtt.ts'

type Gateway = Awaited<ReturnType<typeof aGatewayProcess>>

interface Gateways {
  readonly plain: Gateway
  /** Nobody is let in without credentials. */
  readonly closed: Gateway
  /** Its queues are away and its spool is small. */
  readonly full: Gateway
  /** Acknowledges when queues have accepted, and they are away. */
  readonly direct: Gateway
}

/** What the client was told. */
type Provoke = (gateways: Gateways) => Promise<string>
/** Why no client is ever told, and the test in which the code comes up. */
interface Unseen {
  readonly because: string
  readonly test: string
}

const urlOf = ({ ports }: Gateway, door: string, path: string) => `http://127.0.0.1:${ports[door]}${path}`

async function http(gateway: Gateway, path: string, init: RequestInit = {}, door = 'http'): Promise<string> {
  const response = await fetch(urlOf(gateway, door, path), { method: 'POST', ...init })
  return `${response.status} ${await response.text()}`
}

const command = ({ plain }: Gateways, path: string, init: RequestInit = {}) => http(plain, `/api/devices/${path}`, init, 'admin')

async function raw({ ports }: Gateway, text: string): Promise<string> {
  const socket = connect(ports.http!, '127.0.0.1')
  socket.write(text)
  return (await rest(socket)).replace(/^HTTP\/1.1 /, '')
}

async function rest(socket: Socket): Promise<string> {
  let all = ''
  for await (const chunk of socket) all += chunk
  return all
}

/** Reads live events with more and more connections; answers with the first refusal. */
async function readers({ ports }: Gateway): Promise<string> {
  const leave = new AbortController()
  for (let i = 0; i < 100; i++) {
    const response = await fetch(`http://127.0.0.1:${ports.admin}/api/events`, { signal: leave.signal })
    if (response.status === 200) continue
    const text = await response.text()
    leave.abort()
    return `${response.status} ${text}`
  }
  throw new Error('a hundred readers were let in')
}

/** Sends frames at once; answers with the first refusal. */
async function webSocket(
  { ports }: Gateway,
  topic: string,
  { count, qos, payload = {} }: { readonly count: number; readonly qos: 0 | 1; readonly payload?: unknown },
): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${ports.websocket}`)
  await once(socket, 'open')
  const refused = new Promise<string>((resolve) =>
    socket.on('message', (data) => {
      const { statusCode, ...rest } = JSON.parse(String(data))
      if (statusCode !== 200) resolve(`${statusCode} ${JSON.stringify(rest)}`)
    }),
  )
  for (let id = 0; id < count; id++) socket.send(JSON.stringify({ action: 'publish', topic, payload, qos, id }))
  return refused.finally(() => socket.close())
}

/** MQTT knows numbers; which code is behind one is in the log. */
async function mqttConnect(gateway: Gateway, options: IClientOptions, code: ErrorCode): Promise<string> {
  const refused = await connectAsync(
    `mqtt://127.0.0.1:${gateway.ports.mqtt}`,
    { reconnectPeriod: 0, protocolVersion: 5, ...options },
    false,
  ).catch((error) => error)
  await gateway.line(`"code":"${code}"`)
  return `${code} ${refused.code} ${refused.message}`
}

async function mqttPackets({ plain }: Gateways, code: ErrorCode, packets: readonly Packet[]) {
  const device = await aRawDevice(plain.ports.mqtt!, { clientId: `raw-${code}`, protocolVersion: 5 })
  device.send(...packets)
  const answered = ({ cmd }: { readonly cmd: string }) => cmd === 'disconnect' || cmd === 'suback'
  await expect.poll(() => device.received.some(answered), { timeout: 20_000, message: code }).toBe(true)
  await plain.line(`"code":"${code}"`)
  device.socket.destroy()
  return `${code} ${JSON.stringify(device.received.filter(answered))}`
}

/** A device that hears commands and never answers. */
async function silentDevice({ plain }: Gateways, clientId: string, filter = `cmd/coldchain/acme/s/${clientId}/+/req/+`): Promise<void> {
  const device = await aDevice(plain.ports.mqtt!, { clientId })
  await device.subscribeAsync(filter, { qos: 1 })
}

const inProcess = 'it is told to whoever starts or runs the gateway, and no connection is open then'
const ofRules = 'the device has its acknowledgement before rules run; the failure goes to the log, the ledger and the error action'
const ofQueues = 'it happens between the gateway and a queue; an operator sees it in the log and in `weir dlq`'
const ofHandlers = 'a handler has the message from a queue; the code goes to the log and into the reason of the dead letter'

const rows: Readonly<Record<ErrorCode, Provoke | Unseen>> = {
  REQUEST_INVALID: ({ plain }) => http(plain, '/topics/a?qos=7'),
  NOT_FOUND: ({ plain }) => http(plain, '/nowhere'),
  METHOD_NOT_ALLOWED: ({ plain }) => http(plain, '/topics/a', { method: 'DELETE' }),
  REQUEST_TIMEOUT: ({ plain }) => raw(plain, 'POST /topics/a HTTP/1.1\r\nhost: x\r\nx-'),
  HEADERS_TOO_LARGE: ({ plain }) => raw(plain, `GET / HTTP/1.1\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`),
  HOST_NOT_ALLOWED: ({ plain }) => raw(plain, 'POST /topics/a HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n'),
  ORIGIN_NOT_ALLOWED: (all) => command(all, 'f-1/commands/ping', { headers: { origin: 'https://elsewhere.example' } }),
  PROXY_NOT_TRUSTED: ({ plain }) => http(plain, '/topics/a', { headers: { 'x-forwarded-for': '192.0.2.1' } }),
  READERS_EXCEEDED: ({ plain }) => readers(plain),
  NOT_AUTHORIZED: ({ closed }) => http(closed, '/topics/a', { headers: { authorization: 'Bearer ci.s3cret' } }),
  NOT_AUTHENTICATED: ({ closed }) => http(closed, '/topics/a'),
  CLIENT_ID_INVALID: ({ plain }) => mqttConnect(plain, { clientId: 'a\ufffd' }, 'CLIENT_ID_INVALID'),
  CONNECT_RATE_EXCEEDED: async ({ plain }) => {
    const all = await Promise.all(
      Array.from({ length: 5 }, () => mqttConnect(plain, { clientId: 'hasty', connectTimeout: 8_000 }, 'CONNECT_RATE_EXCEEDED')),
    )
    return all.find((text) => !text.includes('undefined')) ?? all[0]!
  },
  RATE_EXCEEDED: ({ plain }) => webSocket(plain, 'a/b', { count: 300, qos: 0 }),
  TENANT_RATE_EXCEEDED: ({ plain }) => webSocket(plain, 'dt/coldchain/noisy/s', { count: 20, qos: 0, payload: 'x'.repeat(2_000) }),
  IN_FLIGHT_EXCEEDED: ({ plain }) => webSocket(plain, 'a/b', { count: 20, qos: 1 }),
  SUBSCRIPTIONS_EXCEEDED: (all) =>
    mqttPackets(all, 'SUBSCRIPTIONS_EXCEEDED', [
      { cmd: 'subscribe', messageId: 1, subscriptions: Array.from({ length: 9 }, (_, i) => ({ topic: `a/${i}`, qos: 0 as const })) },
    ]),
  PROPERTY_TOO_LARGE: ({ plain }) => http(plain, `/topics/a?contentType=${'x'.repeat(300)}`),
  TOPIC_INVALID: ({ plain }) => http(plain, '/topics/a/%2B/b'),
  PAYLOAD_TOO_LARGE: ({ plain }) => http(plain, '/topics/a', { body: 'x'.repeat(200_000) }),
  QOS_NOT_SUPPORTED: (all) => mqttPackets(all, 'QOS_NOT_SUPPORTED', [aPublish(1, { qos: 2 })]),
  DEVICE_UNKNOWN: (all) => command(all, 'nobody/commands/ping'),
  DEVICE_OFFLINE: async (all) => {
    const gone = await aDevice(all.plain.ports.mqtt!, { clientId: 'f-gone' })
    await gone.endAsync()
    return command(all, 'f-gone/commands/ping')
  },
  DEVICE_DEAF: async (all) => {
    await silentDevice(all, 'f-deaf', 'a/b')
    return command(all, 'f-deaf/commands/ping')
  },
  DEVICE_BUSY: async (all) => {
    await silentDevice(all, 'f-busy')
    const answers = await Promise.all(Array.from({ length: 21 }, () => command(all, 'f-busy/commands/ping?timeout=1s')))
    return answers.find((answer) => answer.startsWith('429'))!
  },
  DEVICE_TIMEOUT: async (all) => {
    await silentDevice(all, 'f-silent')
    return command(all, 'f-silent/commands/ping?timeout=100ms')
  },
  IDEMPOTENCY_KEY_REUSED: async (all) => {
    await silentDevice(all, 'f-key')
    const headers = { 'idempotency-key': 'k-1' }
    const [, second] = await Promise.all(
      ['ping', 'reboot'].map((name) => command(all, `f-key/commands/${name}?timeout=500ms`, { headers })),
    )
    return second!
  },
  SPOOL_FULL: async ({ full }) => {
    for (;;) {
      const answer = await http(full, '/topics/dt/coldchain/acme/s/f/telemetry?qos=1', { body: '{"temperature":1}'.padEnd(2_000) })
      if (!answer.startsWith('200')) return answer
    }
  },
  ACK_TIMEOUT: ({ direct }) => http(direct, '/topics/dt/coldchain/acme/s/f/telemetry?qos=1', { body: '{"temperature":1}' }),
  // A connection that was open before the drain is answered; new ones are refused.
  STOPPING: async ({ full }) => {
    const request = 'HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n'
    const socket = connect(full.ports.http!, '127.0.0.1')
    socket.write(`POST /nowhere ${request}`)
    await once(socket, 'data')
    full.child.kill('SIGTERM')
    await full.line('gateway.draining')
    socket.write(`POST /topics/a?qos=1 ${request}`)
    return (await rest(socket)).replace(/^HTTP\/1.1 /, '')
  },

  INTERNAL: {
    because: 'it is what nobody foresaw; how it is answered is shown with an error made for it',
    test: 'test/gateway/listen/problem.test.ts',
  }, // prettier-ignore
  SESSIONS_FAILED: { because: 'it takes a disk that fails', test: 'test/gateway/broker/sessions/journal.test.ts' },
  SESSIONS_FULL: { because: 'it takes thousands of sessions', test: 'test/gateway/broker/held.test.ts' },
  SESSION_QUEUE_FULL: {
    because: 'the publisher has its acknowledgement; what an absent device misses is told in the log',
    test: 'test/gateway/broker/sessions/sessions.test.ts',
  },
  RETAINED_FULL: { because: 'it takes 500,000 retained messages', test: 'test/gateway/broker/sessions/sessions.test.ts' },
  SPOOL_FAILED: { because: 'it takes a disk that fails', test: 'test/proofs/disk-full.test.ts' },
  MESSAGE_EXPIRED: {
    because: 'the device has its acknowledgement; the message grew too old later',
    test: 'test/gateway/spool/file.test.ts',
  },
  CONFIG_INVALID: { because: inProcess, test: 'test/e2e/bad-input.test.ts' },
  WATCH_FAILED: { because: inProcess, test: 'test/lib/watch.test.ts' },
  RULE_INVALID: { because: inProcess, test: 'test/e2e/bad-input.test.ts' },
  TEMPLATE_UNSUPPORTED: { because: inProcess, test: 'test/e2e/template.test.ts' },
  SQL_INVALID: { because: inProcess, test: 'test/e2e/bad-input.test.ts' },
  PORT_IN_USE: { because: inProcess, test: 'test/e2e/bad-input.test.ts' },
  LOCAL_FAILED: { because: inProcess, test: 'test/gateway/local/local.test.ts' },
  BROKER_UNREACHABLE: { because: inProcess, test: 'test/contract/remote-broker.ts' },
  BROKER_REFUSED: { because: inProcess, test: 'test/gateway/broker/upstream.test.ts' },
  MESSAGES_LOST: { because: 'it takes a disk that loses files; health says it', test: 'test/e2e/losses.test.ts' },
  SPOOL_LOCKED: { because: inProcess, test: 'test/gateway/spool/lock.test.ts' },
  DATA_DIR_UNUSABLE: { because: inProcess, test: 'test/gateway/spool/file.test.ts' },
  HANDLER_INVALID: { because: inProcess, test: 'test/gateway/consume/handlers/index.test.ts' },
  ADMIN_UNREACHABLE: { because: 'it is said by the command line, where no gateway answers', test: 'test/gateway/cli/operate.test.ts' },
  RULE_FAILED: { because: ofRules, test: 'test/gateway/delivery/dispatch.test.ts' },
  RULE_NOT_FOUND: { because: ofRules, test: 'test/gateway/delivery/dispatch.test.ts' },
  ACTION_FAILED: { because: ofRules, test: 'test/e2e/nothing-inside.test.ts' },
  ACTION_REFUSED: { because: ofRules, test: 'test/gateway/actions/http.test.ts' },
  ACTION_TARGET_MISSING: { because: ofRules, test: 'test/e2e/actions.test.ts' },
  BODY_NOT_TEXT: { because: ofRules, test: 'test/proofs/failures.test.ts' },
  BODY_TOO_LARGE: { because: ofRules, test: 'test/gateway/actions/sqs.test.ts' },
  REPUBLISH_LOOP: { because: ofRules, test: 'test/proofs/failures.test.ts' },
  REPUBLISH_NO_ROOM: { because: ofRules, test: 'test/gateway/actions/republish.test.ts' },
  QUEUE_UNREACHABLE: { because: ofQueues, test: 'test/e2e/gateway.test.ts' },
  QUEUE_MISSING: { because: ofQueues, test: 'test/gateway/consume/sqs-queue.test.ts' },
  QUEUE_REFUSED: { because: ofQueues, test: 'test/gateway/consume/sqs-queue.test.ts' },
  LEASE_LOST: { because: ofQueues, test: 'test/gateway/consume/consumer.test.ts' },
  DEAD_LETTER_QUEUE_MISSING: { because: ofQueues, test: 'test/gateway/consume/sqs-queue.test.ts' },
  DEAD_LETTER_MISSING: { because: ofQueues, test: 'test/e2e/consume.test.ts' },
  HANDLER_REFUSED: { because: ofHandlers, test: 'test/e2e/nothing-inside.test.ts' },
  HANDLER_FAILED: { because: ofHandlers, test: 'test/e2e/nothing-inside.test.ts' },
  HANDLER_TIMEOUT: { because: ofHandlers, test: 'test/e2e/nothing-inside.test.ts' },
}

async function configured(config: object, ...flags: readonly string[]): Promise<Gateway> {
  const path = join(aDirectory(), 'gateway.json')
  writeFileSync(path, JSON.stringify(config))
  return aGatewayProcess(['--config', path, ...flags])
}

test('what clients see of each code', { timeout: 60_000 }, async () => {
  const away = ['--aws-endpoint', 'http://127.0.0.1:1']
  const things = join(aDirectory(), 'things.json')
  const login = { name: 'ci', hash: await hashSecret('s3cret'), tenant: 'acme', policies: ['nothing'] }
  const nothing = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }] }
  writeFileSync(things, JSON.stringify({ things: [], policies: { nothing }, tokens: [login] }))
  const [plain, closed, full, direct] = await Promise.all([
    configured({ access: { limits: { tenantBytesPerSecond: 20_000, inFlightInbound: 2 } } }),
    configured({ access: { anonymous: 'off', things } }),
    configured({ spool: { kind: 'file', maxBytes: 65_536 } }, ...away),
    configured({ spool: { kind: 'direct', ackTimeoutMs: 300 } }, ...away),
  ])
  const gateways = { plain, closed, full, direct }
  const provoke = async ([code, row]: [string, Provoke | Unseen]) => {
    if (typeof row !== 'function') return
    const told = await row(gateways)
    const name = code.toLowerCase().replaceAll('_', '-')
    expect(told).toMatch(new RegExp(`"urn:weir:problem:${name}"|"error":"${code}"|^${code} .*(\\b1[2-6]\\d\\b|"granted":\\[1[2-6]\\d)`))
    if (!told.startsWith(code)) expect(told.slice(0, 3)).toBe(String(codes[code as ErrorCode].status))
    expect(insideOf(told), code).toEqual([])
  }
  const { STOPPING, ...others } = rows
  await Promise.all(Object.entries(others).map(provoke))
  await provoke(['STOPPING', STOPPING])
})

test('no code is forgotten: each of docs/errors.md has its row, and each test that is named exists', () => {
  const documented = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `([A-Z_]+)`/gm)].map(([, code]) => code)
  expect(Object.keys(rows).toSorted()).toEqual(documented.toSorted())
  expect(documented.toSorted()).toEqual(Object.keys(codes).toSorted())
  const unseen = Object.values(rows).filter((row) => typeof row !== 'function')
  expect(unseen.filter((row) => !existsSync((row as Unseen).test))).toEqual([])
})
