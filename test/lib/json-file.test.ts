import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseJsonText, readJsonFile, readJsonFileSync } from '../../lib/json-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'json-file-'))
const refuse = (text: string, cause: unknown) => new Error(text, { cause })
const write = (name: string, text: string) => {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}
const readers = [
  ['readJsonFile', readJsonFile],
  ['readJsonFileSync', async (path: string, by: typeof refuse) => readJsonFileSync(path, by)],
] as const

test.each(readers)('%s returns what the file holds', async (_, read) => {
  expect(await read(write('good.json', '{"a":[1]}'), refuse)).toEqual({ a: [1] })
})

test.each(readers)('%s names a file that is missing, and one that is not JSON', async (_, read) => {
  const missing = join(directory, 'missing.json')
  await expect(read(missing, refuse)).rejects.toThrow(`${missing}: cannot be read (ENOENT)`)
  const broken = write('broken.json', '{')
  await expect(read(broken, refuse)).rejects.toThrow(`${broken}: not JSON: `)
})

test('parseJsonText names where the text is from, and keeps the cause', () => {
  const parse = () => parseJsonText('{', 'line 3', refuse)
  expect(parse).toThrow(/^line 3: not JSON: /)
  expect(parse).toThrow(expect.objectContaining({ cause: expect.any(SyntaxError) }))
})
