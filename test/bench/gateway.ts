// The gateway as devices see it: how fast and how soon it acknowledges what it has made safe, and how fast that reaches SQS.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { GatewayConfigInput } from '../../gateway/config.ts'
import type { Ledger } from '../../gateway/observe/ledger.ts'
import { type Bench, type Row, ratioOf, round } from './bench.ts'
import type { Load, LoadResult } from './load.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export const gateway: Bench = {
  summary: 'QoS 1 over loopback; gateway, load and a stand-in for SQS are processes of their own',
  async run({ quick, only }) {
    const rows: Row[] = []
    for (const [group, load] of Object.entries(groups)) {
      // At a pace a percentile needs longer to have as many messages behind it.
      const seconds = (quick ? 3 : 6) * (load.rate ? 3 : 1)
      const members = Object.entries(servers).filter(([name]) => `${group}: ${name}`.includes(only))
      const measured: (readonly [string, Measured])[] = []
      for (const [name, begin] of members) measured.push([name, await underLoad(begin, { seconds, ...load })])
      const peer = measured.find(([name]) => name === 'plain aedes')?.[1]
      for (const [name, result] of measured) {
        const ratio = peer && result !== peer && load.inFlight > 0 ? { ratio: ratioOf(result.perSecond, peer.perSecond, 'aedes') } : {}
        rows.push({ what: `${group}: ${name}`, ...figures(result), ...ratio })
      }
    }
    for (const [name, { messages, pack }] of Object.entries(deliveries)) {
      if (!name.includes(only)) continue
      const count = quick ? messages / 4 : messages
      const how = pack ? ['packed'] : []
      const peer = await deliver(count, (endpoint) => start([here('aedes-to-sqs.ts'), endpoint, ...how]))
      const own = await deliver(count, (endpoint) => startGateway({ aws: { endpoint } }, pack))
      rows.push({ what: `${name}: aedes and the SDK`, ...peer })
      rows.push({ what: name, ...own, ratio: ratioOf(own['messages/s'], peer['messages/s'], 'aedes and the SDK') })
    }
    return rows
  },
}

const servers = {
  'plain aedes': () => start([here('plain-aedes.ts')]),
  'spool file': () => startGateway({ spool: { kind: 'file' } }),
  'spool direct': () => startGateway({ spool: { kind: 'direct' } }),
}

// No rule wants the first topic, so the spool is all that stands between a PUBLISH and its PUBACK. At a pace, rule and queue are at
// work behind: with `direct` the device waits for the answer of SQS, with `file` for the disk.
const unwanted = 'unwanted/coldchain'
const groups: Readonly<Record<string, Omit<Load, 'port'>>> = {
  'acknowledged, 50 connections × 50 in flight': { topic: unwanted, connections: 50, inFlight: 50 },
  'acknowledged, 50 connections × 10 in flight': { topic: unwanted, connections: 50, inFlight: 10 },
  'acknowledged, 50 connections × 5 in flight': { topic: unwanted, connections: 50, inFlight: 5 },
  'acknowledged, 500 connections × 1 in flight': { topic: unwanted, connections: 500, inFlight: 1 },
  'acknowledged at 1,000/s, no rule': { topic: unwanted, connections: 50, inFlight: 0, rate: 1_000 },
  'acknowledged at 1,000/s, into SQS': { topic: 'dt/coldchain', connections: 50, inFlight: 0, rate: 1_000 },
}

const deliveries = {
  'into SQS, unpacked': { messages: 100_000, pack: undefined },
  'into SQS, packed': { messages: 500_000, pack: {} },
}

/** From the first PUBLISH until the ledger, or what its peer has instead, has the last message delivered; a quarter as many go before, to warm up. */
async function deliver(count: number, begin: (endpoint: string) => Promise<Server>) {
  await using sqs = await startSqs()
  await using server = await begin(`http://127.0.0.1:${sqs.ports.sqs}`)
  const load = { port: server.ports.mqtt!, connections: 50, inFlight: 50, topic: 'dt/coldchain' }
  const warmUp = count / 4
  await runLoad({ ...load, count: warmUp })
  await server.delivered(warmUp)
  server.cpuSeconds()
  const before = server.mainThreadSeconds()
  const { startedAt } = await runLoad({ ...load, count })
  await server.delivered(warmUp + count)
  const seconds = (performance.timeOrigin + performance.now() - startedAt) / 1_000
  const each = (cpuSeconds: number) => round((cpuSeconds / count) * 1e6, 1)
  const mainThread = each(server.mainThreadSeconds() - before)
  return { 'messages/s': round(count / seconds), 'CPU µs/message': each(server.cpuSeconds()), 'main thread': mainThread }
}

export interface Server extends AsyncDisposable {
  readonly ports: Readonly<Record<string, number>>
  /** User and system time since the last call; NaN where there is no /proc. */
  cpuSeconds(): number
  /** The same of the first thread alone, since it began. */
  mainThreadSeconds(): number
  delivered(messages: number): Promise<void>
}

/** Where SQS is for whoever is measured. */
export const startSqs = () => start([here('sqs-stand-in.ts')])

/** `root` is the checkout whose gateway runs. */
export function startGateway(config: GatewayConfigInput, pack?: object, root = here('../..')): Promise<Server> {
  const dir = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'weir-bench-'))
  const rules = join(dir, 'rules')
  mkdirSync(rules)
  const telemetry = JSON.parse(readFileSync(here('../../infra/rules/telemetry.json'), 'utf8'))
  Object.assign(telemetry.actions[0].sqs, pack && { pack })
  writeFileSync(join(rules, 'telemetry.json'), JSON.stringify(telemetry))
  const path = join(dir, 'gateway.json')
  const whole: GatewayConfigInput = {
    ...config,
    dataDir: dir,
    listen: { mqtt: 0, mqttWs: 'off', http: 'off', websocket: 'off', admin: 0 },
    access: { limits: 'none' },
    local: { port: 0 },
    rules: { dir: rules },
    log: { level: 'info' },
  }
  writeFileSync(path, JSON.stringify(whole))
  const flags = process.env.BENCH_NODE_FLAGS?.split(' ') ?? []
  return start([...flags, join(root, 'bin/weir.ts'), 'gateway', '--config', path, '--drain-timeout', '1s'], dir)
}

async function start(args: readonly string[], dir?: string): Promise<Server> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = new Promise((resolve) => child.once('close', resolve))
  const { ports } = await new Promise<Server>((resolve, reject) => {
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => (line.includes('"ports"') ? resolve(JSON.parse(line)) : process.env.BENCH_LOG && console.error(line)))
    closed.then(() => reject(new Error('it ended before it was ready')))
  })
  const cpuOfAll = () => cpuOf(`/proc/${child.pid}/stat`)
  let before = cpuOfAll()
  return {
    ports,
    cpuSeconds() {
      const now = cpuOfAll()
      const spent = now - before
      before = now
      return spent
    },
    mainThreadSeconds: () => cpuOf(`/proc/${child.pid}/task/${child.pid}/stat`),
    async delivered(messages) {
      for (;;) {
        const ledger = (await (await fetch(`http://127.0.0.1:${ports.admin}/api/ledger`)).json()) as Ledger
        if (ledger.delivered >= messages) return
        if (ledger.dead > 0) throw new Error(`not delivered: ${JSON.stringify(ledger)}`)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await closed
      if (dir !== undefined) rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Clock ticks are hundredths of a second on every Linux. */
function cpuOf(path: string): number {
  if (!existsSync(path)) return Number.NaN
  const stat = readFileSync(path, 'utf8')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  return (Number(user) + Number(system)) / 100
}

type Measured = LoadResult & { readonly cpu: number }

async function underLoad(begin: () => Promise<Server>, load: Omit<Load, 'port'>): Promise<Measured> {
  await using server = await begin()
  server.cpuSeconds()
  const result = await runLoad({ ...load, port: server.ports.mqtt! })
  return { ...result, cpu: (server.cpuSeconds() / result.acked) * 1e6 }
}

export async function runLoad(load: Load): Promise<LoadResult> {
  const child = spawn(process.execPath, [here('load.ts'), JSON.stringify(load)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const chunk of child.stdout) text += chunk
  return JSON.parse(text)
}

function figures({ perSecond, p50, p99, cpu }: Measured): Omit<Row, 'what'> {
  return { 'messages/s': round(perSecond), 'p50 ms': round(p50, 2), 'p99 ms': round(p99, 2), 'CPU µs/message': round(cpu, 1) }
}
