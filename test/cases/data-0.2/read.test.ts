// A data directory of version 0.2 is read: every message, session entry and loss comes back with every field.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMemory } from '../../../gateway/broker/memory.ts'
import { createRoutes } from '../../../gateway/broker/routes.ts'
import { createFileJournal } from '../../../gateway/broker/sessions/journal.ts'
import { count } from '../../../gateway/broker/sessions/sessions.ts'
import { createState } from '../../../gateway/broker/sessions/state.ts'
import type { Message } from '../../../gateway/message/message.ts'
import { createFileSpool } from '../../../gateway/spool/file.ts'
import { nodeFs } from '../../../gateway/spool/fs.ts'
import { createLosses } from '../../../gateway/spool/losses.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { toReading } from '../../helpers/messages.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'
import { batch, lost, settled, single, state as stored, writtenAt } from './content.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-0.2-'))
  await cp(import.meta.dirname, dir, { recursive: true })
})
afterEach(() => rm(dir, { recursive: true }))

const signal = new AbortController().signal
const written: readonly Message[] = [...single, ...batch]
const unsettled = written.filter((_, i) => ![...settled, ...lost].includes(i + 1))

async function openSpool() {
  const [clock, observe] = [createManualClock(writtenAt), createSpyObserve()]
  const losses = createLosses({ clock, observe, disk: { fs: nodeFs, dir } })
  await losses.start()
  const options = { dir: join(dir, 'spool'), maxBytes: 1024 ** 2, clock, observe }
  const spool = createFileSpool({ ...options, losses: losses.place('spool') })
  await spool.start()
  const stop = () => spool.stop().then(() => losses.stop())
  return { losses, spool, observe, stop }
}

test('the spool delivers what was not settled, with every field', async () => {
  const { losses, spool, observe, stop } = await openSpool()
  expect(spool.depth()).toMatchObject({ messages: unsettled.length, oldestAt: unsettled[0]!.receivedAt })
  expect(losses.list()).toMatchObject([{ place: 'spool', count: lost.length, exact: true }])
  expect(observe.of('spool.corrupted')).toEqual([])
  const messages: Message[] = []
  for (const _ of unsettled) {
    await spool.ready(signal)
    const entry = spool.take()!
    messages.push(entry.message)
    entry.settle('delivered')
  }
  expect(messages).toStrictEqual(unsettled)
  await stop()
})

test('the spool goes on where version 0.2 left it', async () => {
  const first = await openSpool()
  const added = toReading(written.length + 1)
  await first.spool.append(added)
  await first.stop()
  const { losses, spool, stop } = await openSpool()
  expect(losses.list()).toMatchObject([{ count: lost.length, exact: true }])
  const messages: Message[] = []
  while (messages.length < unsettled.length + 1) {
    await spool.ready(signal)
    messages.push(spool.take()!.message)
  }
  expect(messages).toStrictEqual([...unsettled, added])
  await stop()
})

test('sessions, filters, queued and retained messages come back with every field', async () => {
  // The second start reads what the first one wrote.
  for (let start = 0; start < 2; start++) {
    const [clock, observe] = [createManualClock(writtenAt), createSpyObserve()]
    const losses = createLosses({ clock, observe })
    const state = createState({ routes: createRoutes(), memory: createMemory() })
    const journaled = { apply: state.apply, entries: state.entries, counts: () => count(state) }
    const place = { dir: join(dir, 'sessions'), salt: 7, observe, clock, fs: nodeFs }
    const journal = createFileJournal({ journaled, ...place, losses: losses.place('sessions', 'sessions') })
    await journal.start()
    expect([...state.entries()]).toStrictEqual(stored)
    expect(state.lastNumber).toBe(start === 0 ? 5 : 4)
    expect(losses.list()).toEqual([])
    await journal.stop()
  }
})
