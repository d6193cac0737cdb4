import { expect, test } from 'vitest'
import { lockDir } from '../../../gateway/spool/lock.ts'
import { createMemoryFs } from '../../helpers/memory-fs.ts'

test('a second gateway is refused until the first has given the directory back', async () => {
  const fs = createMemoryFs()
  const unlock = await lockDir(fs, '/spool')
  await expect(lockDir(fs, '/spool')).rejects.toMatchObject({ code: 'SPOOL_LOCKED', message: expect.stringContaining('/spool') })
  await unlock()
  await (await lockDir(fs, '/spool'))()
})

test('the lock of a process that died is taken over, an empty one too', async () => {
  const before = createMemoryFs()
  await lockDir(before, '/spool')
  await before.syncDir('/spool')
  const fs = before.crash(() => 0.6)
  expect(fs.files.has('/spool/lock')).toBe(true)
  await (await lockDir(fs, '/spool'))()
})
