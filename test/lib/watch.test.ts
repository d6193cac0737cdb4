import { type FSWatcher, watch as watchDir } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '../../lib/clock.ts'
import { readAndWatch } from '../../lib/watch.ts'

const stopping = new AbortController()
const made: string[] = []
afterAll(async () => {
  stopping.abort()
  for (const dir of made) await rm(dir, { recursive: true, force: true })
})

async function aDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-watch-'))
  made.push(dir)
  return dir
}

/** The time limit of the test bounds it; concurrent tests cannot use `expect.poll`. */
async function until(fits: () => boolean) {
  while (!fits()) await systemClock.sleep(20)
}

/** A directory whose value is the contents of its files. */
async function aWatched(root: string, { dir = join(root, 'rules'), watch = watchDir as typeof watchDir | undefined } = {}) {
  const used: string[] = []
  const rejected: unknown[] = []
  const polled: (string | undefined)[] = []
  const read = async () => {
    const names = (await readdir(dir)).filter((name) => name.endsWith('.json')).sort()
    return (await Promise.all(names.map((name) => readFile(join(dir, name), 'utf8')))).join(' ')
  }
  const first = await readAndWatch({
    pathsOf: () => [`${dir}/`],
    read,
    use: (value) => used.push(value),
    reject: (error) => rejected.push(error),
    polled: (why) => polled.push(why),
    clock: systemClock,
    signal: stopping.signal,
    ...(watch && { watch }),
  })
  const becomes = (value: string) => until(() => used.at(-1) === value)
  return { first, used, rejected, polled, becomes }
}

async function fill(dir: string, files: Readonly<Record<string, string>>) {
  await mkdir(dir, { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text)
}

/** Each replaces `<root>/rules` so that its one file holds `text`. */
const replacements: Readonly<Record<string, (root: string, text: string) => Promise<void>>> = {
  async 'mv of another directory'(root, text) {
    await fill(join(root, 'next'), { 'a.json': text })
    await rename(join(root, 'rules'), join(root, `old-${text}`))
    await rename(join(root, 'next'), join(root, 'rules'))
  },
  async 'rm -rf and cp -r'(root, text) {
    await fill(join(root, 'next'), { 'a.json': text })
    await rm(join(root, 'rules'), { recursive: true })
    await cp(join(root, 'next'), join(root, 'rules'), { recursive: true })
  },
  async 'cp -r over it'(root, text) {
    await fill(join(root, 'next'), { 'a.json': text })
    await cp(join(root, 'next'), join(root, 'rules'), { recursive: true, force: true })
  },
  async 'git checkout'(root, text) {
    await unlink(join(root, 'rules', 'a.json'))
    await rm(join(root, 'rules'), { recursive: true })
    await fill(join(root, 'rules'), { 'a.json': text })
  },
  async 'an editor that renames'(root, text) {
    await writeFile(join(root, 'rules', 'a.json~'), text)
    await rename(join(root, 'rules', 'a.json~'), join(root, 'rules', 'a.json'))
  },
}

test.concurrent.each(Object.keys(replacements))('%s is noticed each time, and so is an edit after it', async (how) => {
  const root = await aDir()
  await fill(join(root, 'rules'), { 'a.json': 'first' })
  const { first, becomes, rejected } = await aWatched(root)
  expect(first).toBe('first')
  for (const text of ['second', 'third']) {
    await replacements[how]!(root, text)
    await becomes(text)
    await writeFile(join(root, 'rules', 'a.json'), `${text}, edited`)
    await becomes(`${text}, edited`)
  }
  expect(rejected).toEqual([])
})

test.concurrent('a swapped link to the directory is noticed', async () => {
  const root = await aDir()
  await fill(join(root, 'one'), { 'a.json': 'one' })
  await fill(join(root, 'two'), { 'a.json': 'two' })
  await symlink('one', join(root, 'rules'))
  const { becomes } = await aWatched(root)
  await symlink('two', join(root, 'next'))
  await rename(join(root, 'next'), join(root, 'rules'))
  await becomes('two')
  await writeFile(join(root, 'two', 'a.json'), 'two, edited')
  await becomes('two, edited')
})

test.concurrent('a mounted ConfigMap is noticed, whose files are links through `..data`', async () => {
  const root = await aDir()
  const dir = join(root, 'rules')
  await fill(join(dir, '..1'), { 'a.json': 'one' })
  await symlink('..1', join(dir, '..data'))
  await symlink('..data/a.json', join(dir, 'a.json'))
  const { becomes } = await aWatched(root)
  for (const version of ['2', '3']) {
    await fill(join(dir, `..${version}`), { 'a.json': version })
    await symlink(`..${version}`, join(dir, '..next'))
    await rename(join(dir, '..next'), join(dir, '..data'))
    await rm(join(dir, `..${Number(version) - 1}`), { recursive: true })
    await becomes(version)
  }
})

test.concurrent('a replaced parent directory is noticed', async () => {
  const root = await aDir()
  await fill(join(root, 'config', 'rules'), { 'a.json': 'one' })
  const { becomes } = await aWatched(root, { dir: join(root, 'config', 'rules') })
  await rename(join(root, 'config'), join(root, 'old'))
  await fill(join(root, 'config', 'rules'), { 'a.json': 'two' })
  await becomes('two')
})

test.concurrent('a directory that is missing for a while keeps what is in use, and is used when it is back', async () => {
  const root = await aDir()
  await fill(join(root, 'rules'), { 'a.json': 'one' })
  const { becomes, used, rejected } = await aWatched(root)
  await rename(join(root, 'rules'), join(root, 'away'))
  await until(() => rejected.length === 1)
  expect(used).toEqual([])
  await writeFile(join(root, 'away', 'b.json'), 'two')
  await rename(join(root, 'away'), join(root, 'rules'))
  await becomes('one two')
})

test.concurrent('a directory that is filled slowly is used when it is whole', async () => {
  const root = await aDir()
  await fill(join(root, 'rules'), { 'a.json': 'a1', 'b.json': 'b1', 'c.json': 'c1' })
  const { becomes, used, rejected } = await aWatched(root)
  await rm(join(root, 'rules'), { recursive: true })
  for (const name of ['a', 'b', 'c']) {
    await systemClock.sleep(300)
    await fill(join(root, 'rules'), { [`${name}.json`]: `${name}2` })
  }
  await becomes('a2 b2 c2')
  expect(used).toEqual(['a2 b2 c2'])
  expect(rejected).toEqual([])
})

test.concurrent('a file that is removed and made again at once is never missing; one that is removed is', async () => {
  const root = await aDir()
  await fill(join(root, 'rules'), { 'a.json': 'a', 'b.json': 'b' })
  const { becomes, used } = await aWatched(root)
  for (let i = 0; i < 20; i++) {
    await unlink(join(root, 'rules', 'a.json'))
    await systemClock.sleep(5)
    await writeFile(join(root, 'rules', 'a.json'), `a${i}`)
    await systemClock.sleep(35)
  }
  await becomes('a19 b')
  expect(used.filter((value) => !value.startsWith('a'))).toEqual([])
  await unlink(join(root, 'rules', 'a.json'))
  await becomes('b')
})

test.concurrent('without a watch, as where the system has no more of them, changes are noticed by polling, and it says so once', async () => {
  const root = await aDir()
  await fill(join(root, 'rules'), { 'a.json': 'one' })
  let hasRoom = false
  const watch = ((...args: Parameters<typeof watchDir>): FSWatcher => {
    if (!hasRoom) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    return watchDir(...args)
  }) as typeof watchDir
  const { becomes, polled } = await aWatched(root, { watch })
  await writeFile(join(root, 'rules', 'a.json'), 'two')
  await becomes('two')
  expect(polled[0]).toMatch(/cannot be watched \(ENOSPC\); changes are noticed within 1000 ms/)
  hasRoom = true
  await until(() => polled.at(-1) === undefined)
})
