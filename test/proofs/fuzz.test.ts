// Seeded nonsense at every door of a real gateway: it does not die, does not grow, and an honest device does not notice.
import { type EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { generate, type Packet } from 'mqtt-packet'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { createRandom } from '../../lib/random.ts'
import { aDevice } from '../helpers/mqtt-client.ts'
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

/** Nonsense behind a CONNECT that is mostly right, until the broker has had enough; answers how many packets were sent. */
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
  const rest = Array.from({ length: count - 1 }, () => (below(10) < 3 ? mutate(packet(protocolVersion)) : packet(protocolVersion)))
  socket.end(Buffer.concat(rest))
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 500))])
  socket.destroy()
  return count
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
    socket.end(below(10) < 7 ? mutate(text) : text)
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

/** Resident bytes of a process, where the system says so. */
function residentBytes(pid: number): number {
  const [, kb = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kb) * 1024
}

test.skipIf(process.platform !== 'linux')('20,000 MQTT packets, 5,000 HTTP requests and 5,000 WebSocket frames of nonsense', async () => {
  console.log(`seed ${seed}`)
  // Young objects in a small space, so that what is resident is what is held and not what was not collected yet.
  vi.stubEnv('NODE_OPTIONS', '--max-semi-space-size=2')
  const { ports, child, finished } = await aGatewayProcess()
  let ended: unknown
  void finished.then((result) => {
    ended = result
  })
  const honest = await aDevice(ports.mqtt!, { clientId: 'honest' })
  onTestFinished(() => void honest.end(true))
  const times: number[] = []
  let publishing = true
  const publisher = (async () => {
    while (publishing) {
      const began = performance.now()
      await honest.publishAsync('dt/coldchain/acme/s/honest/telemetry', '{"n":1}', { qos: 1 })
      times.push(performance.now() - began)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  const attack = async () => {
    await mqttPackets(ports.mqtt!, 20_000)
    await httpRequests(ports.http!, 5_000)
    await webSocketFrames(ports.websocket!, 5_000)
  }
  // Code gets compiled and pools get filled once.
  await attack()
  await attack()
  const before = residentBytes(child.pid!)
  await attack()
  const after = residentBytes(child.pid!)
  publishing = false
  await publisher
  expect(ended).toBeUndefined()
  const health = await fetch(`http://127.0.0.1:${ports.admin}/healthz`)
  expect(health.status).toBe(200)
  const p95 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)]!
  console.log(
    `honest device: ${times.length} publishes, p95 ${p95.toFixed(0)} ms; memory ${((after - before) / 2 ** 20).toFixed(1)} MiB more`,
  )
  expect(p95).toBeLessThan(1_000)
  expect((after - before) / 2 ** 20).toBeLessThan(32)
  child.kill('SIGTERM')
  const { code, stderr } = await finished
  expect(stderr).toBe('')
  expect(code).toBe(0)
})
