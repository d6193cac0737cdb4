import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeDirectory } from '../../lib/make-directory.ts'

const root = mkdtempSync(join(tmpdir(), 'weir-test-'))
afterAll(() => rmSync(root, { recursive: true }))

const make = (path: string) => makeDirectory(path, (reason) => new Error(reason))

test('makes what is missing, and leaves what is there', () => {
  const path = join(root, 'a', 'b', 'c')
  make(path)
  make(path)
  expect(statSync(path).isDirectory()).toBe(true)
})

test('a file is not a directory, and nothing is below it', () => {
  const file = join(root, 'file')
  writeFileSync(file, '')
  expect(() => make(file)).toThrow(`${file} is not a directory`)
  expect(() => make(join(file, 'a', 'b'))).toThrow(`${file} is not a directory`)
})

// Node's own recursive mkdir does not come back from there.
test.runIf(existsSync('/proc/self'))('where no directory can be made, it says so', () => {
  expect(() => make('/proc/weir/a')).toThrow(/^the directory \/proc\/weir\/a cannot be made \(E\w+\)$/)
})
