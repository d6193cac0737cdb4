// Writes the data directory of version 0.2 beside this file, with the code of a checkout: node write.ts CHECKOUT
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { after, batch, before, lostSegment, settled, single, writtenAt } from './content.ts'

const here = import.meta.dirname
const checkout = resolve(process.argv[2] ?? '.')
const load = (path: string) => import(join(checkout, path))

const { createFileSpool } = await load('gateway/spool/file.ts')
const { createLosses } = await load('gateway/spool/losses.ts')
const { nodeFs } = await load('gateway/spool/fs.ts')
const { createFileJournal } = await load('gateway/broker/sessions/journal.ts')
const { createState } = await load('gateway/broker/sessions/state.ts')
const { count } = await load('gateway/broker/sessions/sessions.ts')
const { createMemory } = await load('gateway/broker/memory.ts')
const { createRoutes } = await load('gateway/broker/routes.ts')
const { createManualClock } = await load('test/helpers/manual-clock.ts')
const { createSpyObserve } = await load('test/helpers/spy-observe.ts')

const clock = createManualClock(writtenAt)
const observe = createSpyObserve()

async function openSpool() {
  const losses = createLosses({ clock, observe, disk: { fs: nodeFs, dir: here } })
  await losses.start()
  const options = { dir: join(here, 'spool'), maxBytes: 1024 ** 2, segmentBytes: 800, clock, observe }
  const spool = createFileSpool({ ...options, losses: losses.place('spool') })
  await spool.start()
  const stop = async () => {
    await spool.stop()
    await losses.stop()
  }
  return { spool, stop }
}

async function writeSpool() {
  const first = await openSpool()
  for (const message of single) await first.spool.append(message)
  await first.stop()
  await rm(join(here, 'spool', lostSegment))
  const second = await openSpool()
  await Promise.all(batch.map((message) => second.spool.append(message)))
  const ids = settled.map((number) => [...single, ...batch][number - 1]!.id)
  const signal = new AbortController().signal
  for (let left = second.spool.depth().messages; left > 5; left--) {
    await second.spool.ready(signal)
    const entry = second.spool.take()
    if (ids.includes(entry.message.id)) entry.settle('delivered')
  }
  await second.stop()
}

async function openJournal() {
  const state = createState({ routes: createRoutes(), memory: createMemory() })
  const journaled = { apply: state.apply, entries: state.entries, counts: () => count(state) }
  const losses = createLosses({ clock, observe }).place('sessions', 'sessions')
  const place = { dir: join(here, 'sessions'), salt: 0xdecafbad, roomBytes: 1_000_000, fs: nodeFs, losses }
  const journal = createFileJournal({ journaled, observe, clock, ...place })
  await journal.start()
  return journal
}

async function writeSessions() {
  for (const entries of [before, after]) {
    const journal = await openJournal()
    await Promise.all(entries.map((entry) => journal.append(entry)))
    await journal.stop()
  }
}

for (const name of await readdir(here)) if (!/\.(ts|md)$/.test(name)) await rm(join(here, name), { recursive: true })
await mkdir(join(here, 'spool'))
await writeSpool()
await writeSessions()
