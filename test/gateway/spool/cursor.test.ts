import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { type Cursor, openCursor } from '../../../gateway/spool/cursor.ts'
import { createMemoryFs, errno, type MemoryFs } from '../../helpers/memory-fs.ts'

const cursor = { segment: 7, offset: 5120, unsettled: { 6: [400, 880] } }
const at = (offset: number): Cursor => ({ ...cursor, offset })
const found = async (fs: MemoryFs) => (await openCursor(fs, '/spool')).found

const written = async (...cursors: readonly Cursor[]) => {
  const fs = createMemoryFs()
  const files = await openCursor(fs, '/spool')
  for (const each of cursors) await files.write(each)
  return { fs, files }
}

test('what was written last is read, after a crash too', async () => {
  const { fs, files } = await written()
  expect(files.found).toBeUndefined()
  for (let offset = 1; offset <= 5; offset++) {
    await files.write(at(offset))
    expect(await found(fs.copy().crash(() => 0.9))).toEqual(at(offset))
  }
  await files.close()
  const again = await openCursor(fs, '/spool')
  expect(again.found).toEqual(at(5))
  await again.write(at(6))
  expect(await found(fs)).toEqual(at(6))
})

test.each([1, 2, 3])('a write that fails or stops anywhere, behind %i others, leaves the last cursor or the new one', async (before) => {
  const offsets = Array.from({ length: before }, (_, index) => at(index))
  for (let stopAt = 0; ; stopAt++) {
    const { fs, files } = await written(...offsets)
    let left = stopAt
    let reached = false
    fs.fault = () => {
      if (left-- !== 0) return undefined
      reached = true
      return errno('EIO')
    }
    await files.write(at(9999)).catch(() => undefined)
    fs.fault = () => undefined
    for (const luck of [0, 0.3, 0.6, 0.9]) {
      expect([offsets.at(-1), at(9999)]).toContainEqual(await found(fs.copy().crash(() => luck)))
    }
    await files.write(at(10_000))
    expect(await found(fs.crash(() => 0.9))).toEqual(at(10_000))
    if (!reached) return
  }
})

test('a cursor shorter than the one it replaces leaves nothing of it', async () => {
  const long: Cursor = { segment: 1, offset: 1, unsettled: { 1: Array.from({ length: 5_000 }, (_, index) => index) } }
  const { fs, files } = await written(long, long, at(1), at(2))
  expect(await found(fs)).toEqual(at(2))
  await files.write(at(3))
  expect(await found(fs)).toEqual(at(3))
})

test('a damaged cursor is not believed: the one before it is, or none', async () => {
  const { fs } = await written(at(1), at(2))
  fs.overwrite('/spool/cursor.2', 30, Buffer.from('9'))
  expect(await found(fs)).toEqual(at(1))
  fs.overwrite('/spool/cursor', 30, Buffer.from('9'))
  expect(await found(fs)).toBe('damaged')
})

test('a cursor of a version that had one file is read, and the next one is newer', async () => {
  const fs = createMemoryFs()
  const json = JSON.stringify(at(4))
  const file = await fs.open('/spool/cursor', 'wx')
  await file.write(Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} ${json}\n`), 0)
  const files = await openCursor(fs, '/spool')
  expect(files.found).toEqual(at(4))
  await files.write(at(5))
  expect(await found(fs)).toEqual(at(5))
})
