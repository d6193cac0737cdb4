import { expect, test } from 'vitest'
import { createDirectSpool } from '../../../gateway/spool/direct.ts'
import type { Entry } from '../../../gateway/spool/spool.ts'
import { testSpool } from '../../contract/spool.ts'
import { createManualClock, settled } from '../../helpers/manual-clock.ts'
import { createMessage } from '../../helpers/message.ts'
import { readSpool } from '../../helpers/read-spool.ts'

const aSpool = async (options: { maxBytes?: number; ackTimeoutMs?: number } = {}) => {
  const clock = createManualClock()
  const spool = createDirectSpool({ clock, maxBytes: 1_000_000, ackTimeoutMs: 5_000, ...options })
  await spool.start()
  const entries: Entry[] = []
  const reading = new AbortController()
  const done = (async () => {
    for await (const entry of readSpool(spool, reading.signal)) entries.push(entry)
  })()
  return { clock, spool, entries, reading, done }
}

test('an append resolves when its entry is settled, and acknowledgements leave in the order of the appends', async () => {
  const { spool, entries } = await aSpool()
  const acked: string[] = []
  spool.append(createMessage()).then(() => acked.push('first'))
  spool.append(createMessage()).then(() => acked.push('second'))
  await settled()
  expect(entries).toHaveLength(2)
  expect(entries[1]!.settle('delivered')).toBe(true)
  await settled()
  expect(acked).toEqual([])
  expect(spool.depth().messages).toBe(1)
  entries[0]!.settle('unmatched')
  await settled()
  expect(acked).toEqual(['first', 'second'])
  expect(spool.depth()).toEqual({ messages: 0, bytes: 0 })
})

test('a message nobody delivers in time is refused, and its late outcome does not count', async () => {
  const { clock, spool, entries } = await aSpool({ ackTimeoutMs: 5_000 })
  const refused = expect(spool.append(createMessage())).rejects.toMatchObject({ code: 'ACK_TIMEOUT' })
  await clock.advance(7_000)
  await refused
  expect(spool.depth().messages).toBe(0)
  expect(entries[0]!.settle('delivered')).toBe(false)
})

test('bytes are bounded, and room comes back when an entry is settled', async () => {
  const { spool, entries } = await aSpool({ maxBytes: 100 })
  const first = spool.append(createMessage('x'.repeat(80)))
  await expect(spool.append(createMessage('x'.repeat(30)))).rejects.toMatchObject({ code: 'SPOOL_FULL' })
  await settled()
  entries[0]!.settle('delivered')
  await first
  const second = spool.append(createMessage('x'.repeat(30)))
  await settled()
  entries[1]!.settle('delivered')
  await second
})

test('stop refuses what is unsettled and what comes later, ends the reader, and may be called twice', async () => {
  const { spool, done } = await aSpool()
  const waiting = expect(spool.append(createMessage())).rejects.toMatchObject({ code: 'STOPPING' })
  await spool.stop()
  await spool.stop()
  await waiting
  await expect(spool.append(createMessage())).rejects.toMatchObject({ code: 'STOPPING' })
  await done
})

test('a reader ends when its signal aborts', async () => {
  const { reading, done } = await aSpool()
  reading.abort()
  await done
})

testSpool({ name: 'direct', create: () => createDirectSpool({ clock: createManualClock(), maxBytes: 1_000_000, ackTimeoutMs: 60_000 }) })

test('a republished copy waits neither for room nor for the message it was made of, which waits for it', async () => {
  const { spool, entries } = await aSpool({ maxBytes: 100 })
  const original = spool.append(createMessage('x'.repeat(80)))
  const copy = spool.append(createMessage('x'.repeat(80), { hops: 1 }))
  await settled()
  entries[1]!.settle('delivered')
  await copy
  entries[0]!.settle('delivered')
  await original
})
