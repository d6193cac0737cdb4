import { expect, test } from 'vitest'
import type { SpoolFs } from '../../../gateway/spool/fs.ts'
import { lockDir } from '../../../gateway/spool/lock.ts'
import { settled } from '../../helpers/manual-clock.ts'
import { createMemoryFs, errno, type MemoryFs } from '../../helpers/memory-fs.ts'

test('a second gateway is refused until the first has given the directory back', async () => {
  const fs = createMemoryFs()
  const unlock = await lockDir(fs, '/spool')
  await expect(lockDir(fs, '/spool')).rejects.toMatchObject({ code: 'SPOOL_LOCKED', message: expect.stringContaining('/spool') })
  await unlock()
  await (await lockDir(fs, '/spool'))()
})

test('the lock of a process that died is taken over', async () => {
  const before = createMemoryFs()
  await lockDir(before, '/spool')
  await before.syncDir('/spool')
  const fs = before.crash(() => 0.6)
  expect([...fs.files.keys()]).toEqual([expect.stringMatching(/^\/spool\/lock\.boot\.\d+$/)])
  await (await lockDir(fs, '/spool'))()
})

/** As seen by one process of several, all of which run. */
const seenBy = (fs: MemoryFs, process: string): SpoolFs => ({ ...fs, owner: async () => process, isRunning: async () => true })

test.each([
  ['side by side', (fs: MemoryFs) => [lockDir(seenBy(fs, '1 10'), '/spool'), lockDir(seenBy(fs, '2 20'), '/spool')]],
  [
    'one slower than the other at every call',
    (fs: MemoryFs) => {
      const slow = seenBy(fs, '1 10')
      const open: SpoolFs['open'] = async (...args) => {
        const file = await slow.open(...args)
        await settled()
        return file
      }
      return [lockDir({ ...slow, open }, '/spool'), lockDir(seenBy(fs, '2 20'), '/spool')]
    },
  ],
])('of two that start at the same moment, %s, at most one is let in', async (_, start) => {
  const fs = createMemoryFs()
  const outcomes = await Promise.allSettled(start(fs))
  expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1)
  for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'SPOOL_LOCKED' })
  // Whoever was refused leaves nothing behind.
  expect([...fs.files.keys()]).toHaveLength(outcomes.filter(({ status }) => status === 'fulfilled').length)
})

test('no byte is written, so a full disk does not refuse a start', async () => {
  const fs = createMemoryFs()
  fs.fault = (call) => (call === 'write' ? errno('ENOSPC') : undefined)
  await (await lockDir(fs, '/spool'))()
})
