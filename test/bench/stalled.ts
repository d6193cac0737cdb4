// What subscribers that stop reading cost everybody else: time to a PUBACK with 0 and with 20 of them, and with 20 that read.
//
//   node test/bench/stalled.ts [--root ../other] [--rate 500] [--seconds 20] [--bytes 1000]
//
// The subscribers have persistent sessions and subscribe to half of what is published. `subscribed` is that half, `other` the rest.
import { fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const { values } = parseArgs({
  options: {
    root: { type: 'string', default: here('../..') },
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '20' },
    bytes: { type: 'string', default: '1000' },
  },
})
const [rate, seconds, bytes] = [Number(values.rate), Number(values.seconds), Number(values.bytes)]

const text = (value: string) => Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)])
function packet(first: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7]
  return Buffer.concat([Buffer.from([first, ...length]), body])
}
const connectPacket = (id: string, clean: boolean) => packet(0x10, text('MQTT'), Buffer.from([4, clean ? 2 : 0, 0, 0]), text(id))

async function dial(port: number, id: string, clean: boolean): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => undefined)
  socket.write(connectPacket(id, clean))
  await new Promise((resolve) => socket.once('data', resolve))
  return socket
}

async function subscriber(port: number, index: number, reads: boolean): Promise<Socket> {
  const socket = await dial(port, `subscriber-${index}`, false)
  socket.write(packet(0x82, Buffer.from([0, 1]), text('all/#'), Buffer.from([1])))
  await new Promise((resolve) => socket.once('data', resolve))
  if (reads) socket.on('data', acknowledge(socket))
  else socket.pause()
  return socket
}

/** Answers each PUBLISH, whose size is always the same here, with a PUBACK. */
function acknowledge(socket: Socket): (bytes: Buffer) => void {
  let rest = Buffer.alloc(0)
  return (read) => {
    rest = Buffer.concat([rest, read])
    while (rest.length > 4) {
      const size = rest[1]! < 128 ? 2 + rest[1]! : 3 + (rest[1]! & 127) + rest[2]! * 128
      if (rest.length < size) return
      const start = rest[1]! < 128 ? 2 : 3
      const idAt = start + 2 + rest.readUInt16BE(start)
      socket.write(Buffer.from([0x40, 2, rest[idAt]!, rest[idAt + 1]!]))
      rest = rest.subarray(size)
    }
  }
}

/** Each connection sends on one topic; PUBACKs come in order. */
async function publisher(port: number, index: number, latencies: number[]) {
  const socket = await dial(port, `publisher-${index}`, true)
  const sentAt: number[] = []
  let id = 0
  socket.on('data', (read) => {
    for (let at = 0; at + 4 <= read.length; at += 4) latencies.push(performance.now() - sentAt.shift()!)
  })
  const topic = text(`${index % 2 === 0 ? 'all' : 'other'}/publisher-${index}`)
  const payload = Buffer.alloc(bytes, 'x')
  return {
    send() {
      id = (id % 65_535) + 1
      sentAt.push(performance.now())
      socket.write(packet(0x32, topic, Buffer.from([id >> 8, id & 255]), payload))
    },
    end: () => socket.destroy(),
  }
}

const percentile = (list: readonly number[], share: number) => {
  const sorted = [...list].sort((a, b) => a - b)
  return Math.round((sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 10) / 10
}

async function run(subscribers: number, reads: boolean) {
  const dir = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'weir-stalled-'))
  mkdirSync(join(dir, 'rules'))
  const config = {
    dataDir: dir,
    listen: { mqtt: 0, mqttWs: 'off', http: 'off', websocket: 'off', admin: 'off' },
    access: { limits: 'none' },
    local: { port: 0 },
    rules: { dir: join(dir, 'rules') },
  }
  writeFileSync(join(dir, 'gateway.json'), JSON.stringify(config))
  const args = ['gateway', '--config', join(dir, 'gateway.json'), '--drain-timeout', '1s']
  const child = fork(join(resolve(values.root), 'bin/weir.ts'), args, {
    execArgv: process.env.BENCH_NODE_FLAGS?.split(' ') ?? [],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const closed = new Promise((resolve) => child.once('close', resolve))
  const port = await new Promise<number>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => line.includes('"ports"') && resolve(JSON.parse(line).ports.mqtt))
  })
  const stalled = await Promise.all(Array.from({ length: subscribers }, (_, index) => subscriber(port, index, reads)))
  const latencies = { subscribed: [] as number[], other: [] as number[] }
  const publishers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => publisher(port, index, index % 2 === 0 ? latencies.subscribed : latencies.other)),
  )
  const startedAt = performance.now()
  let sent = 0
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsed = performance.now() - startedAt
      for (; sent < (elapsed / 1_000) * rate; sent++) publishers[sent % publishers.length]!.send()
      if (elapsed < seconds * 1_000) return
      clearInterval(timer)
      resolve()
    }, 1)
  })
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const [user, system] = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13).map(Number)
  const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1_024
  for (const socket of stalled) socket.destroy()
  for (const each of publishers) each.end()
  child.kill('SIGTERM')
  await closed
  rmSync(dir, { recursive: true, force: true })
  const figures = (list: readonly number[]) => `${percentile(list, 0.5)} / ${percentile(list, 0.99)} / ${percentile(list, 0.9999)}`
  return {
    subscribers: subscribers === 0 ? 'none' : `${subscribers} that ${reads ? 'read' : 'do not read'}`,
    sent,
    acknowledged: latencies.subscribed.length + latencies.other.length,
    'subscribed: p50/p99/max ms': figures(latencies.subscribed),
    'other: p50/p99/max ms': figures(latencies.other),
    'CPU s': (user! + system!) / 100,
    'resident MiB': Math.round(resident),
  }
}

const rows: object[] = []
for (const [subscribers, reads] of [
  [0, false],
  [20, true],
  [20, false],
] as const) {
  rows.push(await run(subscribers, reads))
  console.error(JSON.stringify(rows.at(-1)))
}
console.table(rows)
