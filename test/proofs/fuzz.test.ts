// Seeded nonsense at every door of a real gateway: it does not die, does not grow, and an honest device does not notice.
import { type ChildProcess, fork } from 'node:child_process'
import { type EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { generate, type Packet } from 'mqtt-packet'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { createRandom } from '../../lib/random.ts'
import { aGatewayProcess } from '../helpers/program.ts'

const seed = process.env.SEED ?? 7
const random = createRandom(seed, 'fuzz')
const below = (n: number) => Math.floor(random() * n)
const pick = <T>(list: readonly T[]): T => list[below(list.length)]!

/** Flips, cuts, doubles, or fills in bytes of something that was right. */
function mutate(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  for (let n = below(4); n >= 0 && copy.length > 0; n--) copy[below(copy.length)] = pick([0, 0xff, 0x7f, 0x80, below(256), below(256)])
  const at = below(copy.length + 1)
  switch (below(6)) {
    case 0:
      return copy.subarray(0, at)
    case 1:
      return Buffer.concat([copy.subarray(0, at), Buffer.alloc(below(64), below(256)), copy.subarray(at)])
    case 2:
      return Buffer.concat([copy, copy.subarray(at)])
    default:
      return copy
  }
}

/** Also when it ends in an error. */
const closeOf = (socket: EventEmitter) => new Promise<void>((resolve) => socket.once('close', () => resolve()))

const topics = ['dt/coldchain/acme/s/f/telemetry', '$aws/rules/telemetry/a', '$share/g/a', '#', 'é'.repeat(40)]
const properties = { topicAlias: 3, responseTopic: 'a/b', correlationData: Buffer.from('1'), userProperties: { a: ['b', 'c'] } }

function packet(protocolVersion: 4 | 5): Buffer {
  const topic = pick(topics)
  const messageId = 1 + below(9)
  const more = protocolVersion === 5 && below(2) ? { properties } : {}
  const packets: readonly Packet[] = [
    { cmd: 'publish', topic, payload: 'x'.repeat(below(200)), qos: 1, messageId, dup: false, retain: below(4) === 0, ...more } as Packet,
    { cmd: 'publish', topic, payload: '{"n":1}', qos: 0, dup: false, retain: false } as Packet,
    { cmd: 'publish', topic, payload: '', qos: 2, messageId, dup: false, retain: false } as Packet,
    { cmd: 'subscribe', messageId, subscriptions: [{ topic: `${topic}/+`, qos: below(2) as 0 | 1 }] } as Packet,
    { cmd: 'unsubscribe', messageId, unsubscriptions: ['a'] } as Packet,
    { cmd: 'puback', messageId } as Packet,
    { cmd: 'pubrel', messageId } as Packet,
    { cmd: 'pingreq' },
  ]
  return generate(pick(packets), { protocolVersion })
}

/** Nonsense behind a CONNECT that is mostly right, until the broker has had enough; answers how many mutated packets were sent. */
async function mqttConnection(port: number, count: number): Promise<number> {
  const protocolVersion = pick([4, 5] as const)
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.resume()
  const closed = closeOf(socket)
  await once(socket, 'connect').catch(() => undefined)
  // A session that is to be kept is kept, so there are only a few of those.
  const clean = below(3) > 0
  const clientId = clean ? `fuzz-${below(1e6)}` : `keeper-${below(20)}`
  const hello = generate({
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion, clean, clientId, keepalive: 60 },
    ...(below(4) === 0 ? { will: { topic: pick(topics), payload: Buffer.from('x'), qos: 0, retain: false } } : {}),
  } as Packet)
  socket.write(below(5) === 0 ? mutate(hello) : hello)
  // Some that are right, so that what is wrong meets a session in every state.
  const packets = Array.from({ length: count }, () => ({ bytes: packet(protocolVersion), wrong: below(10) < 6 }))
  socket.end(Buffer.concat(packets.map(({ bytes, wrong }) => (wrong ? mutate(bytes) : bytes))))
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 500))])
  socket.destroy()
  return packets.filter(({ wrong }) => wrong).length
}

async function mqttPackets(port: number, total: number): Promise<void> {
  for (let sent = 0; sent < total; ) {
    const all = await Promise.all(Array.from({ length: 20 }, () => mqttConnection(port, 10 + below(20))))
    sent += all.reduce((sum, count) => sum + count, 0)
  }
}

async function httpRequests(port: number, total: number): Promise<void> {
  const lines = ['POST /topics/dt%2Fa?qos=1 HTTP/1.1', 'GET / HTTP/1.1', 'POST /topics/%ff?qos=2&qos=1 HTTP/1.0', 'PUT /topics/a HTTP/1.1']
  const headers = ['content-length: 7', 'transfer-encoding: chunked', 'authorization: Basic !!', 'expect: 100-continue', 'upgrade: h2c']
  const one = async () => {
    const text = Buffer.from(`${pick(lines)}\r\nhost: x\r\n${pick(headers)}\r\n${pick(headers)}\r\n\r\n{"n":1}`)
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.resume()
    const closed = closeOf(socket)
    socket.end(mutate(text))
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 500))])
    socket.destroy()
  }
  for (let sent = 0; sent < total; sent += 50) await Promise.all(Array.from({ length: 50 }, one))
}

async function webSocketFrames(port: number, total: number): Promise<void> {
  const frame = '{"action":"publish","topic":"dt/a","payload":{"n":[1,2,{"a":"b"}]},"qos":1,"id":"7"}'
  for (let sent = 0; sent < total; sent += 100) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    socket.on('error', () => undefined)
    await once(socket, 'open')
    const closed = closeOf(socket)
    for (let i = 0; i < 100 && socket.readyState === WebSocket.OPEN; i++) {
      const bytes = mutate(Buffer.from(frame))
      socket.send(below(4) === 0 ? bytes : bytes.toString())
    }
    // Frames that break the protocol itself.
    if (below(4) === 0) (socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(mutate(Buffer.from(frame)))
    socket.close()
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 500))])
    socket.terminate()
  }
}

/** What the gateway holds once its garbage is gone: on its heap and outside of it, in MiB. */
async function heldMiB(child: ChildProcess): Promise<number> {
  child.send('memory')
  const [{ memory }] = (await once(child, 'message')) as [{ readonly memory: NodeJS.MemoryUsage }]
  return (memory.heapUsed + memory.external) / 2 ** 20
}

const probe = new URL('../helpers/memory-probe.ts', import.meta.url).href
/** The nonsense comes in parts, and what is held is looked at between them. */
const rounds = 3
/** What a part may leave behind for good. */
const maxSlopeMiB = 2
const maxGrowthMiB = 32
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

interface Waited {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** A device in a process of its own; `waited` tells what it waited for acknowledgements since it was asked last. */
async function anHonestDevice(port: number): Promise<{ waited(): Promise<Waited> }> {
  const child = fork(new URL('../helpers/honest-device.ts', import.meta.url), [String(port)])
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return {
    async waited() {
      child.send('tell')
      const [told] = (await once(child, 'message')) as [Waited]
      return told
    },
  }
}

test('20,000 MQTT packets, 5,000 HTTP requests and 5,000 WebSocket frames of nonsense', { timeout: 180_000 }, async () => {
  console.log(`seed ${seed}`)
  vi.stubEnv('NODE_OPTIONS', `--import ${probe}`)
  const { ports, child, finished } = await aGatewayProcess([], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  vi.unstubAllEnvs()
  let ended: unknown
  void finished.then((result) => {
    ended = result
  })
  const honest = await anHonestDevice(ports.mqtt!)
  const attack = async () => {
    await mqttPackets(ports.mqtt!, 20_000 / rounds)
    await httpRequests(ports.http!, 5_000 / rounds)
    await webSocketFrames(ports.websocket!, 5_000 / rounds)
  }
  // Code gets compiled and pools get filled once: this part does not count.
  await attack()
  await wait(1_000)
  await honest.waited()
  await wait(3_000)
  const alone = await honest.waited()
  const held = [await heldMiB(child)]
  const attacked: Waited[] = []
  for (let i = 0; i < rounds; i++) {
    await honest.waited()
    await attack()
    attacked.push(await honest.waited())
    held.push(await heldMiB(child))
  }
  const ms = ({ count, p50, p95, p99, max }: Waited) =>
    `${count} publishes, p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms`
  console.log(`honest device alone: ${ms(alone)}`)
  for (const waited of attacked) console.log(`honest device, attacked: ${ms(waited)}`)
  console.log(`held after each round: ${held.map((mib) => mib.toFixed(1)).join(', ')} MiB`)
  expect(ended).toBeUndefined()
  const health = await fetch(`http://127.0.0.1:${ports.admin}/healthz`)
  expect(health.status).toBe(200)
  expect(held.at(-1)! - held[0]!).toBeLessThan(maxGrowthMiB)
  expect(slopeOf(held)).toBeLessThan(maxSlopeMiB)
  // One in a hundred of some seconds is one publish, and says more of the machine: it is only printed.
  for (const { count, p95 } of attacked) {
    expect(count).toBeGreaterThan(20)
    expect(p95).toBeLessThan(1_000)
  }
  child.kill('SIGTERM')
  const { code, stderr } = await finished
  expect(stderr).toBe('')
  expect(code).toBe(0)
})

/** Of the line through the points, by least squares: one round that keeps something is no leak, each round that keeps something is. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const up = values.reduce((sum, value, x) => sum + (x - middle) * (value - mean), 0)
  return up / values.reduce((sum, _, x) => sum + (x - middle) ** 2, 0)
}
