// What a durable acknowledgement costs: records per second in groups, and ack latency at a pace, beside a bare append and fdatasync.
//
//   node test/bench/spool.ts [directory]
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileSpool } from '../../gateway/spool/file.ts'
import { systemClock } from '../../lib/clock.ts'
import { toReading } from '../helpers/messages.ts'
import { readSpool } from '../helpers/read-spool.ts'

const payload = Buffer.alloc(120, 'x')
const readings = Array.from({ length: 1_000 }, (_, number) => toReading(number, { payload }))
const recordBytes = 250
const observe = { record: () => {} }

interface Peer {
  append(number: number): Promise<void>
  depth(): number
  stop(): Promise<void>
}

async function createSpoolPeer(dir: string): Promise<Peer> {
  const spool = createFileSpool({ dir, maxBytes: 4 * 1024 ** 3, clock: systemClock, observe })
  await spool.start()
  const abort = new AbortController()
  const reading = (async () => {
    for await (const entry of readSpool(spool, abort.signal)) entry.settle('delivered')
  })()
  return {
    append: (number) => spool.append(readings[number % readings.length]!),
    depth: () => spool.depth().messages,
    async stop() {
      abort.abort()
      await reading
      await spool.stop()
    },
  }
}

/** The least a durable log can do: bytes already encoded, one write and one sync at a time, no reading, no checksum. */
async function createBarePeer(dir: string): Promise<Peer> {
  const file = await open(join(dir, 'bare'), 'w')
  const record = Buffer.alloc(recordBytes, 'x')
  let waiting: Buffer[] = []
  let next = Promise.withResolvers<void>()
  let running: Promise<void> | undefined
  const run = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    while (waiting.length > 0) {
      const [group, done] = [waiting, next]
      waiting = []
      next = Promise.withResolvers()
      await file.writev(group)
      await file.datasync()
      done.resolve()
    }
    running = undefined
  }
  return {
    append() {
      waiting.push(record)
      running ??= run()
      return next.promise
    },
    depth: () => 0,
    async stop() {
      await running
      await file.close()
    },
  }
}

const peers = { spool: createSpoolPeer, 'write + fdatasync': createBarePeer }

async function grouped(create: (dir: string) => Promise<Peer>, group: number): Promise<string> {
  return await inDir(create, async (peer) => {
    const start = performance.now()
    let count = 0
    while (performance.now() - start < 2_000) {
      let last: Promise<void> | undefined
      for (let i = 0; i < group; i++) last = peer.append(count++)
      await last
    }
    return `${Math.round(count / ((performance.now() - start) / 1_000)).toLocaleString('en')}/s`
  })
}

async function paced(create: (dir: string) => Promise<Peer>, rate: number): Promise<string> {
  return await inDir(create, async (peer) => {
    const lags: number[] = []
    const start = performance.now()
    const cpu = process.cpuUsage()
    let count = 0
    let refused = 0
    while (performance.now() - start < 3_000) {
      const due = Math.floor(((performance.now() - start) / 1_000) * rate)
      for (; count < due; count++) {
        const at = performance.now()
        peer.append(count).then(
          () => lags.push(performance.now() - at),
          () => refused++,
        )
      }
      await systemClock.sleep(1)
    }
    const { user, system } = process.cpuUsage(cpu)
    await systemClock.sleep(200)
    lags.sort((a, b) => a - b)
    const at = (share: number) => lags[Math.floor(lags.length * share)]!.toFixed(2)
    const cores = ((user + system) / 1e6 / 3).toFixed(2)
    return `p50 ${at(0.5)} p99 ${at(0.99)} max ${lags.at(-1)!.toFixed(1)} ms · ${Math.round(count / 3)}/s · ${cores} cores · refused ${refused} · depth ${peer.depth()}`
  })
}

async function inDir(create: (dir: string) => Promise<Peer>, body: (peer: Peer) => Promise<string>): Promise<string> {
  const dir = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'weir-spool-bench-'))
  const peer = await create(dir)
  try {
    return await body(peer)
  } finally {
    await peer.stop()
    await rm(dir, { recursive: true })
  }
}

// Peers take turns row by row, so that whatever else the machine does meets both.
const row = async (title: string, measure: (create: (dir: string) => Promise<Peer>) => Promise<string>) => {
  for (const [name, create] of Object.entries(peers)) console.log(`${title.padEnd(16)} ${name.padEnd(18)} ${await measure(create)}`)
}
for (const group of [1, 10, 100, 1_000, 10_000]) await row(`groups of ${group}`, (create) => grouped(create, group))
for (const rate of [1_000, 10_000, 100_000, 200_000]) await row(`paced ${rate}/s`, (create) => paced(create, rate))
