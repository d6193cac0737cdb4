// A text that was reviewed once and must not change unseen: compared with its file, rewritten with UPDATE=1.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'

export async function expectGolden(name: string, text: string): Promise<void> {
  const file = new URL(`../golden/${name}`, import.meta.url)
  if (process.env.UPDATE) {
    await mkdir(new URL('.', file), { recursive: true })
    await writeFile(file, text)
  }
  expect(text).toBe(await readFile(file, 'utf8'))
}
