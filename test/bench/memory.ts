// What tenants, sessions, filters and queued messages cost: resident memory of a process of its own, after a collection of garbage.
//
//   node test/bench/memory.ts                  all rows
//   node test/bench/memory.ts sessions         rows whose name has this text
//   node test/bench/memory.ts --root ../other  another checkout of this project
import { type ChildProcess, fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const MiB = 1024 ** 2

const { values, positionals } = parseArgs({ allowPositionals: true, options: { root: { type: 'string', default: here('../..') } } })
const root = resolve(values.root)

// ── bytes of MQTT 5 ──

const textOf = (text: string) => Buffer.concat([Buffer.from([text.length >> 8, text.length & 255]), Buffer.from(text)])

function packet(first: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const length: number[] = []
  for (let left = body.length; length.length === 0 || left > 0; left >>= 7) length.push((left & 127) | (left > 127 ? 128 : 0))
  return Buffer.concat([Buffer.from([first, ...length]), body])
}

const connectPacket = (id: string, expirySeconds: number) => {
  const expiry = Buffer.alloc(5)
  expiry[0] = 0x11
  expiry.writeUInt32BE(expirySeconds, 1)
  return packet(0x10, textOf('MQTT'), Buffer.from([5, 0, 0, 0]), Buffer.from([5]), expiry, textOf(id))
}
const subscribePacket = (filters: readonly string[]) =>
  packet(0x82, Buffer.from([0, 1, 0]), ...filters.flatMap((filter) => [textOf(filter), Buffer.from([1])]))
const publishPacket = (topic: string, payload: Buffer, packetId: number, retain: boolean) =>
  packet(0x32 | (retain ? 1 : 0), textOf(topic), Buffer.from([packetId >> 8, packetId & 255, 0]), payload)

/** Sends packets and counts the answers that are not refusals, by their last byte; a closed connection ends the wait. */
function ask(socket: Socket, packets: readonly Buffer[]): Promise<readonly Buffer[]> {
  return new Promise((resolve) => {
    const answers: Buffer[] = []
    let rest = Buffer.alloc(0)
    const finish = () => resolve(answers)
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes])
      while (rest.length >= 2 && rest.length >= 2 + rest[1]!) {
        answers.push(rest.subarray(0, 2 + rest[1]!))
        rest = rest.subarray(2 + rest[1]!)
      }
      if (answers.length >= packets.length) finish()
    })
    socket.on('error', finish).on('close', finish)
    socket.write(Buffer.concat(packets))
  })
}

// ── the gateway ──

interface Used {
  readonly residentMiB: number
  /** Objects and buffers that are in use, after a collection of garbage. */
  readonly liveMiB: number
}

interface Running {
  readonly port: number
  memory(): Promise<Used>
  stop(): Promise<void>
}

async function startGateway(maxBytes: number): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), 'weir-memory-'))
  mkdirSync(join(dir, 'rules'))
  const config = {
    dataDir: dir,
    sessions: { maxBytes },
    listen: { mqtt: 0, mqttWs: 'off', http: 'off', websocket: 'off', admin: 'off' },
    access: { limits: 'none' },
    local: { port: 0 },
    rules: { dir: join(dir, 'rules') },
  }
  writeFileSync(join(dir, 'gateway.json'), JSON.stringify(config))
  const args = ['gateway', '--config', join(dir, 'gateway.json'), '--drain-timeout', '1s']
  const child = fork(join(root, 'bin/weir.ts'), args, {
    execArgv: ['--import', here('../helpers/memory-probe.ts')],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const closed = new Promise((resolve) => child.once('close', resolve))
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => line.includes('"ports"') && resolve(JSON.parse(line).ports.mqtt))
    closed.then(() => reject(new Error('the gateway ended before it was ready')))
  })
  return {
    port,
    memory: () => memoryOf(child),
    async stop() {
      child.kill('SIGTERM')
      await closed
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Asked three times: pages are given back a moment after they were freed. */
async function memoryOf(child: ChildProcess): Promise<Used> {
  let used: Used = { residentMiB: 0, liveMiB: 0 }
  for (let i = 0; i < 3; i++) {
    const answer = new Promise<{ readonly memory: NodeJS.MemoryUsage }>((resolve) =>
      child.once('message', resolve as (value: unknown) => void),
    )
    child.send('memory')
    const { rss, heapUsed, external } = (await answer).memory
    used = { residentMiB: rss / MiB, liveMiB: (heapUsed + external) / MiB }
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  return used
}

const growth = (before: Used, after: Used) => ({
  growthMiB: Math.round((after.residentMiB - before.residentMiB) * 10) / 10,
  liveMiB: Math.round((after.liveMiB - before.liveMiB) * 10) / 10,
})

/** Runs `count` tasks, 50 at a time. */
async function inParallel(count: number, task: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: 50 }, worker))
}

interface Row {
  readonly what: string
  /** Configured, in MiB. */
  readonly maxMiB?: number
  /** Of resident memory, and of what is in use. */
  readonly growthMiB: number
  readonly liveMiB: number
  readonly granted: number
  readonly refused: number
}

type Fill = (port: number) => Promise<{ readonly granted: number; readonly refused: number }>

async function measure(what: string, maxMiB: number, fill: Fill): Promise<Row> {
  const gateway = await startGateway(maxMiB * MiB)
  try {
    // Garbage, code and buffers of the process itself come first: the same traffic, of which nothing outlives its connection.
    await fillSessions(3_000, 50, 0)(gateway.port)
    await publishAll(gateway.port, 10_000, () => publishPacket('warm/up', Buffer.alloc(1_024, 'x'), 1, false))
    const before = await gateway.memory()
    const done = await fill(gateway.port)
    return { what, maxMiB, ...growth(before, await gateway.memory()), ...done }
  } finally {
    await gateway.stop()
  }
}

/** Sessions that stay for an hour (0: connections that stay open), each with so many filters of five levels. */
function fillSessions(sessions: number, filters: number, expirySeconds: number): Fill {
  return async (port) => {
    const done = { granted: 0, refused: 0 }
    await inParallel(sessions, async (index) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      const all = Array.from({ length: filters }, (_, i) => `dt/tenant-${index % 40}/device-${index}/command-${i}/+`)
      const subscribes = Array.from({ length: Math.ceil(filters / 8) }, (_, i) => subscribePacket(all.slice(i * 8, i * 8 + 8)))
      const answers = await ask(socket, [connectPacket(`device-${index}-${expirySeconds}`, expirySeconds), ...subscribes])
      const codes = answers.slice(1).flatMap((answer) => [...answer.subarray(5)])
      done.granted += codes.filter((code) => code < 0x80).length
      done.refused += filters - codes.filter((code) => code < 0x80).length
      socket.destroy()
    })
    return done
  }
}

/** One publisher and `subscribers` persistent sessions that are offline; each message waits for all of them. */
function fillQueues(subscribers: number, messages: number, payloadBytes: number): Fill {
  return async (port) => {
    await inParallel(subscribers, async (index) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      await ask(socket, [connectPacket(`offline-${index}`, 3_600), subscribePacket(['queue/#'])])
      socket.destroy()
    })
    return publishAll(port, messages, () => publishPacket('queue/a/b', Buffer.alloc(payloadBytes, 'x'), 1, false))
  }
}

function fillRetained(messages: number, payloadBytes: number): Fill {
  return (port) =>
    publishAll(port, messages, (index) => publishPacket(`retained/device-${index}`, Buffer.alloc(payloadBytes, 'x'), 1, true))
}

async function publishAll(port: number, messages: number, packetOf: (index: number) => Buffer) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await ask(socket, [connectPacket('publisher', 0)])
  socket.removeAllListeners('data')
  const done = { granted: 0, refused: 0 }
  const batch = 100
  for (let at = 0; at < messages; at += batch) {
    const answers = await ask(
      socket,
      Array.from({ length: Math.min(batch, messages - at) }, (_, i) => packetOf(at + i)),
    )
    socket.removeAllListeners()
    for (const answer of answers) done[answer.length > 4 && answer[4]! >= 0x80 ? 'refused' : 'granted']++
  }
  socket.destroy()
  return done
}

// ── tenants of a consumer ──

/** In a process of its own. */
async function countTenants(names: number): Promise<Row> {
  const script = `
    import { createTenants } from ${JSON.stringify(join(root, 'gateway/consume/tenants.ts'))}
    setInterval(() => {}, 60_000)
    const tenants = createTenants({ clock: { now: () => Date.now() }, weight: () => 1, changed() {} })
    process.on('message', (asked) => {
      if (asked !== 'go') return
      for (let i = 0; i < ${names}; i++) {
        const account = tenants.accountOf?.('name-' + i) ?? 'name-' + i
        tenants.received(account, 1)
        tenants.running(account, 1)
        for (let ms = 1; ms < 4_000; ms *= 3) tenants.handled(account, ms)
        tenants.running(account, -1)
      }
      process.send({ accounts: tenants.snapshot(() => 0).length })
    })`
  const dir = mkdtempSync(join(tmpdir(), 'weir-memory-'))
  const path = join(dir, 'tenants.ts')
  writeFileSync(path, script)
  const child = fork(path, { execArgv: ['--import', here('../helpers/memory-probe.ts')] })
  try {
    const before = await memoryOf(child)
    const accounts = await new Promise<number>((resolve) => {
      child.once('message', (message) => resolve((message as { readonly accounts: number }).accounts))
      child.send('go')
    })
    return { what: `a consumer: ${names} tenant names`, ...growth(before, await memoryOf(child)), granted: accounts, refused: 0 }
  } finally {
    child.kill()
    rmSync(dir, { recursive: true, force: true })
  }
}

const rows: Readonly<Record<string, () => Promise<Row>>> = {
  'tenants 20,000': () => countTenants(20_000),
  'tenants 100,000': () => countTenants(100_000),
  'sessions 10,000 × 5 filters': () => measure('10,000 sessions × 5 filters', 256, fillSessions(10_000, 5, 3_600)),
  'sessions 3,000 × 50 filters': () => measure('3,000 sessions × 50 filters', 256, fillSessions(3_000, 50, 3_600)),
  'limit sessions, 32 MiB': () => measure('sessions × 50 filters, up to the limit', 32, fillSessions(3_000, 50, 3_600)),
  'limit queues of 1 session, 64 MiB': () => measure('messages of 1 KiB for 1 session', 64, fillQueues(1, 10_000, 1_024)),
  'limit queues of 20 sessions, 64 MiB': () => measure('messages of 100 bytes for 20 sessions', 64, fillQueues(20, 10_000, 100)),
  'limit retained, 64 MiB': () => measure('retained messages of 100 bytes', 64, fillRetained(150_000, 100)),
}

const table: Row[] = []
for (const [name, row] of Object.entries(rows)) {
  if (!positionals.every((text) => name.includes(text))) continue
  table.push(await row())
  console.error(JSON.stringify(table.at(-1)))
}
console.table(table)
