// Somebody else's broker as the source: how fast one gateway takes a backlog from mosquitto and makes it safe, by connections,
// beside MQTT.js as it comes: acknowledging a message when its callback is called, one after another.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, connectAsync } from 'mqtt'
import { accessSchema, createAccess } from '../../gateway/access/access.ts'
import { createArns } from '../../gateway/access/arn.ts'
import type { Ingest } from '../../gateway/broker/broker.ts'
import { upstreamSchema } from '../../gateway/broker/config.ts'
import { createUpstreamBroker } from '../../gateway/broker/upstream.ts'
import { createIds } from '../../gateway/message/ids.ts'
import type { Message } from '../../gateway/message/message.ts'
import { createFileSpool } from '../../gateway/spool/file.ts'
import { systemClock as clock } from '../../lib/clock.ts'
import { createRandom } from '../../lib/random.ts'
import { readSpool } from '../helpers/read-spool.ts'
import { type Bench, type Row, ratioOf, round } from './bench.ts'

const observe = { record: () => {} }
const random = createRandom(1)
const ids = createIds(clock.now, random)
const payload = Buffer.alloc(176, 'x')
const topic = 'dt/coldchain/acme/site-1/f-1/telemetry'
const group = 'bench'

export const upstream: Bench = {
  summary: 'a backlog at mosquitto, QoS 1 of 176 bytes over loopback, into the spool on disk',
  async run({ quick, only }) {
    const count = quick ? 10_000 : 60_000
    const rows: Row[] = []
    for (const connections of [1, 2, 4]) {
      const name = `${connections} connection${connections > 1 ? 's' : ''}`
      if (!name.includes(only)) continue
      const peer = await measure(Math.round(count / 6), connections, bareMqttJs)
      const ours = await measure(count, connections, (...args) => gateway('5', ...args))
      const older = await measure(count, connections, (...args) => gateway('3.1.1', ...args))
      rows.push({ what: `${name}: MQTT.js, one at a time`, ...peer })
      rows.push({ what: `${name}: upstream, MQTT 5`, ...ours, ratio: ratioOf(ours['messages/s'], peer['messages/s'], 'MQTT.js') })
      rows.push({ what: `${name}: upstream, MQTT 3.1.1`, ...older, ratio: ratioOf(older['messages/s'], peer['messages/s'], 'MQTT.js') })
    }
    return rows
  },
}

/** Sessions that mosquitto knows, for `connections` members of the group; started again, it takes what waits. */
type Consumer = (port: number, connections: number, ingest: Ingest) => { start(): Promise<void>; stop(): Promise<void> }

function gateway(protocolVersion: '5' | '3.1.1', port: number, connections: number, ingest: Ingest) {
  const config = {
    kind: 'upstream',
    url: `mqtt://127.0.0.1:${port}`,
    filters: ['dt/#'],
    group,
    connections,
    clientId: 'bench',
    protocolVersion,
  }
  const access = createAccess(accessSchema.parse({}), { clock, observe, arns: createArns({ region: 'us-east-1', accountId: '0' }) })
  const options = { ingest, limits: access.limits, observe, clock, random, ids, clientId: () => 'bench', tenantTopicLevel: 3 }
  return createUpstreamBroker(upstreamSchema.parse(config), options)
}

const bareMqttJs: Consumer = (port, connections, ingest) => {
  const clients: ReturnType<typeof connect>[] = []
  const open = async (index: number) => {
    const options = { clean: false, clientId: `bench-${index}`, protocolVersion: 5, properties: { sessionExpiryInterval: 3_600 } } as const
    const client = connect(`mqtt://127.0.0.1:${port}`, options)
    client.handleMessage = (packet, done) => {
      const head = { id: ids(), topic: packet.topic, payload: packet.payload as Buffer, qos: 1, retain: false, hops: 0 } as const
      ingest({ ...head, receivedAt: clock.now(), source: { clientId: 'f-1', transport: 'upstream' } }).then(() => done(), done)
    }
    clients.push(client)
    await new Promise((resolve) => client.once('connect', resolve))
    await client.subscribeAsync(`$share/${group}/dt/#`, { qos: 1 })
  }
  return {
    async start() {
      await Promise.all(Array.from({ length: connections }, (_, index) => open(index)))
    },
    async stop() {
      await Promise.all(clients.map((client) => client.endAsync()))
    },
  }
}

async function measure(count: number, connections: number, create: Consumer) {
  const dir = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'weir-bench-'))
  const mosquitto = await startMosquitto(dir)
  const spool = createFileSpool({ dir: join(dir, 'spool'), maxBytes: 4 * 1024 ** 3, clock, observe })
  await spool.start()
  const abort = new AbortController()
  const reading = (async () => {
    for await (const entry of readSpool(spool, abort.signal)) entry.settle('delivered')
  })()
  let kept = 0
  let all = Promise.withResolvers<void>()
  const ingest = async (message: Message) => {
    await spool.append(message)
    if (++kept === count) all.resolve()
  }
  try {
    const first = create(mosquitto.port, connections, ingest)
    await first.start()
    await first.stop()
    await fill(mosquitto.port, count)
    const cpu = process.cpuUsage()
    const began = performance.now()
    const second = create(mosquitto.port, connections, ingest)
    await second.start()
    await all.promise
    const seconds = (performance.now() - began) / 1_000
    const { user, system } = process.cpuUsage(cpu)
    all = Promise.withResolvers()
    await second.stop()
    return { 'messages/s': round(count / seconds), 'CPU µs/message': round((user + system) / count, 1) }
  } finally {
    abort.abort()
    await reading
    await spool.stop()
    mosquitto.child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
}

async function fill(port: number, count: number): Promise<void> {
  const device = await connectAsync(`mqtt://127.0.0.1:${port}`)
  for (let sent = 0; sent < count; sent += 1_000) {
    await Promise.all(Array.from({ length: Math.min(1_000, count - sent) }, () => device.publishAsync(topic, payload, { qos: 1 })))
  }
  await device.endAsync()
}

async function startMosquitto(dir: string): Promise<{ readonly port: number; readonly child: ChildProcess }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'max_queued_messages 0', 'max_queued_bytes 0', 'log_dest none']
  writeFileSync(join(dir, 'mosquitto.conf'), `${lines.join('\n')}\n`)
  const child = spawn('mosquitto', ['-c', join(dir, 'mosquitto.conf')], { stdio: 'ignore' })
  const answers = () =>
    new Promise<boolean>((resolve) => {
      const socket = createConnection(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
  while (!(await answers())) await clock.sleep(20)
  return { port, child }
}
