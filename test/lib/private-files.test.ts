import { chmodSync, closeSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createRecorder } from '../../device-sim/recorder.ts'
import { ndjson } from '../../gateway/consume/handlers/ndjson.ts'
import { nodeFs } from '../../gateway/spool/fs.ts'
import { systemClock } from '../../lib/clock.ts'
import { makeDirectory } from '../../lib/make-directory.ts'
import { isShared, makePrivate, makePrivateSync, openPrivate } from '../../lib/private-files.ts'

const root = mkdtempSync(join(tmpdir(), 'weir-test-'))
afterAll(() => rmSync(root, { recursive: true }))

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)
let count = 0
const newPath = () => join(root, String(count++))

/** A file that everybody may read, as an earlier version left it. */
const anOldFile = () => {
  const path = newPath()
  writeFileSync(path, 'x')
  chmodSync(path, 0o644)
  return path
}

const ways: Readonly<Record<string, (path: string) => unknown>> = {
  openPrivate: (path) => closeSync(openPrivate(path, 'w')),
  'the file system of the spool, writing': async (path) => (await nodeFs.open(path, 'w')).close(),
  'a recording': (path) => createRecorder(path).stop(),
}

test.each(Object.entries(ways))('%s makes new files and old ones private', async (_, write) => {
  for (const path of [newPath(), anOldFile()]) {
    await write(path)
    expect(modeOf(path)).toBe('600')
  }
})

test.each(['r', 'r+'] as const)('the file system of the spool makes an old file private when it opens it with %s', async (flags) => {
  const path = anOldFile()
  await (await nodeFs.open(path, flags)).close()
  expect(modeOf(path)).toBe('600')
})

test('a file is made private by its handle or its path; one that is missing is no error', async () => {
  const [one, two] = [anOldFile(), anOldFile()]
  const handle = await open(one)
  await makePrivate(handle)
  await handle.close()
  makePrivateSync(two)
  makePrivateSync(newPath())
  expect([modeOf(one), modeOf(two)]).toEqual(['600', '600'])
})

test('directories are private, with all that are made above them', async () => {
  for (const make of [(path: string) => makeDirectory(path, (reason) => new Error(reason)), nodeFs.makeDir]) {
    const path = newPath()
    await make(join(path, 'a', 'b'))
    expect([path, join(path, 'a'), join(path, 'a', 'b')].map(modeOf)).toEqual(['700', '700', '700'])
  }
})

test('the file of the ndjson handler is private when it is made, and keeps its mode when it was there', async () => {
  const [made, kept] = [newPath(), anOldFile()]
  for (const path of [made, kept]) {
    const handler = await ndjson.bind({ path, sync: false }, { clock: systemClock, directory: root } as never)
    await handler.stop?.()
  }
  expect([modeOf(made), modeOf(kept)]).toEqual(['600', '644'])
})

test.each([
  [0o700, false],
  [0o600, false],
  [0o640, true],
  [0o701, true],
])('mode %o is shared: %s', (mode, shared) => expect(isShared(mode)).toBe(shared))
