// What every spool promises, whatever it does in between. Called from the test of each implementation.
import { describe, expect, test } from 'vitest'
import type { Entry, Spool } from '../../gateway/spool/spool.ts'
import { toReading } from '../helpers/messages.ts'
import { readSpool } from '../helpers/read-spool.ts'

export interface SpoolCase {
  readonly name: string
  /** A new spool, not started. */
  create(): Spool | Promise<Spool>
}

export function testSpool({ name, create }: SpoolCase): void {
  describe(`contract: ${name}`, () => {
    const run = async (body: (spool: Spool, entries: AsyncIterator<Entry>, abort: AbortController) => Promise<void>) => {
      const spool = await create()
      const abort = new AbortController()
      await spool.start()
      try {
        await body(spool, readSpool(spool, abort.signal)[Symbol.asyncIterator](), abort)
      } finally {
        abort.abort()
        await spool.stop()
      }
    }
    const take = async (entries: AsyncIterator<Entry>) => {
      const { value, done } = await entries.next()
      if (done) throw new Error('the spool has no more entries')
      return value as Entry
    }

    test('what is appended is read, oldest first, byte for byte', () =>
      run(async (spool, entries) => {
        const appended = [1, 2, 3].map((n) => spool.append(toReading(n)))
        for (const n of [1, 2, 3]) {
          const entry = await take(entries)
          expect({ ...entry.message, payload: Buffer.from(entry.message.payload) }).toEqual(toReading(n))
          entry.settle('delivered')
        }
        await Promise.all(appended)
      }))

    test('appends resolve in the order of the calls, whatever the order of settling', () =>
      run(async (spool, entries) => {
        const order: number[] = []
        const appended = [1, 2, 3, 4].map((n) => spool.append(toReading(n)).then(() => order.push(n)))
        const taken: Entry[] = []
        for (let i = 0; i < 4; i++) taken.push(await take(entries))
        for (const entry of taken.reverse()) entry.settle('delivered')
        await Promise.all(appended)
        expect(order).toEqual([1, 2, 3, 4])
      }))

    test('depth counts what is appended and not settled', () =>
      run(async (spool, entries) => {
        expect(spool.depth().messages).toBe(0)
        expect(spool.depth().oldestAt).toBeUndefined()
        const appended = [1, 2].map((n) => spool.append(toReading(n)))
        const first = await take(entries)
        const second = await take(entries)
        expect(spool.depth().messages).toBe(2)
        expect(spool.depth().bytes).toBeGreaterThan(0)
        expect(spool.depth().oldestAt).toBe(toReading(1).receivedAt)
        first.settle('delivered')
        expect(spool.depth().messages).toBe(1)
        expect(spool.depth().oldestAt).toBe(toReading(2).receivedAt)
        second.settle('unmatched')
        await Promise.all(appended)
        expect({ ...spool.depth() }).toEqual({ messages: 0, bytes: 0 })
      }))

    test('settling twice is a mistake of the caller, and is said', () =>
      run(async (spool, entries) => {
        const appended = spool.append(toReading(1))
        const entry = await take(entries)
        entry.settle('delivered')
        expect(() => entry.settle('delivered')).toThrow(/twice/)
        await appended
        expect(spool.depth().messages).toBe(0)
      }))

    test('reading ends when its signal aborts, also while it waits', () =>
      run(async (_spool, entries, abort) => {
        const waiting = entries.next()
        abort.abort()
        expect(await waiting).toMatchObject({ done: true })
      }))

    test('stop ends the reading and refuses appends', () =>
      run(async (spool, entries) => {
        const waiting = entries.next()
        await spool.stop()
        expect(await waiting).toMatchObject({ done: true })
        await expect(spool.append(toReading(1))).rejects.toMatchObject({ code: 'STOPPING' })
      }))

    test('stop is safe before start and twice', async () => {
      const spool = await create()
      await spool.stop()
      await spool.stop()
    })
  })
}
