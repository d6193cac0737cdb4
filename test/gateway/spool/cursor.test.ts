import { expect, test } from 'vitest'
import { readCursor, writeCursor } from '../../../gateway/spool/cursor.ts'
import { createMemoryFs, errno } from '../../helpers/memory-fs.ts'

const cursor = { segment: 7, offset: 5120, unsettled: { 6: [400, 880] } }

test('what was written is read, after a crash too', async () => {
  const fs = createMemoryFs()
  expect(await readCursor(fs, '/spool')).toBeUndefined()
  await writeCursor(fs, '/spool', cursor)
  expect(
    await readCursor(
      fs.crash(() => 0.9),
      '/spool',
    ),
  ).toEqual(cursor)
})

test('a write that fails or stops anywhere leaves the old cursor or the new one', async () => {
  const next = { ...cursor, offset: 9999 }
  for (let stopAt = 0; ; stopAt++) {
    const fs = createMemoryFs()
    await writeCursor(fs, '/spool', cursor)
    let left = stopAt
    let reached = false
    fs.fault = () => {
      if (left-- !== 0) return undefined
      reached = true
      return errno('EIO')
    }
    await writeCursor(fs, '/spool', next).catch(() => undefined)
    fs.fault = () => undefined
    for (const luck of [0, 0.3, 0.6, 0.9]) {
      const found = await readCursor(
        fs.copy().crash(() => luck),
        '/spool',
      )
      expect([cursor, next]).toContainEqual(found)
    }
    if (!reached) return
  }
})

test('a damaged cursor is not believed', async () => {
  const fs = createMemoryFs()
  await writeCursor(fs, '/spool', cursor)
  fs.overwrite('/spool/cursor', 30, Buffer.from('9'))
  expect(await readCursor(fs, '/spool')).toBe('damaged')
})
