import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { nodeFs } from '../../../gateway/spool/fs.ts'

test('files are written at a position, read, cut, renamed and removed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-fs-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  await nodeFs.makeDir(join(dir, 'a/b'))
  const path = join(dir, 'a/b/one')
  const file = await nodeFs.open(path, 'wx')
  await expect(nodeFs.open(path, 'wx')).rejects.toMatchObject({ code: 'EEXIST' })
  await file.write(Buffer.from('hello'), 3)
  await file.datasync()
  expect(await file.size()).toBe(8)
  await file.truncate(5)
  await file.close()
  await nodeFs.rename(path, join(dir, 'a/b/two'))
  await nodeFs.syncDir(join(dir, 'a/b'))
  expect(await nodeFs.list(join(dir, 'a/b'))).toEqual(['two'])
  const again = await nodeFs.open(join(dir, 'a/b/two'), 'r')
  const buffer = Buffer.alloc(10)
  expect(await again.read(buffer, 3)).toBe(2)
  expect(buffer.toString('utf8', 0, 2)).toBe('he')
  await again.close()
  await nodeFs.remove(join(dir, 'a/b/two'))
  expect(await nodeFs.list(join(dir, 'a/b'))).toEqual([])
})

test('this process runs; one that ended does not, nor does an earlier one of the same pid', async () => {
  const owner = await nodeFs.owner()
  expect(owner).toMatch(new RegExp(`^${process.pid}\\b`))
  expect(await nodeFs.isRunning(owner)).toBe(true)
  expect(await nodeFs.isRunning('4194304 1')).toBe(false)
  if (process.platform === 'linux') expect(await nodeFs.isRunning(`${process.pid} 1`)).toBe(false)
})

test('what was written through is read, beside what was written and over it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-fs-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const path = join(dir, 'file')
  const file = await nodeFs.open(path, 'wx')
  await file.write(Buffer.from('0123456789'), 0)
  await file.writeThrough(Buffer.from('ab'), 4)
  await file.writeThrough(Buffer.from('cd'), 10)
  await file.close()
  const again = await nodeFs.open(path, 'r')
  const buffer = Buffer.alloc(20)
  expect(buffer.toString('latin1', 0, await again.read(buffer, 0))).toBe('0123ab6789cd')
  await again.close()
})
