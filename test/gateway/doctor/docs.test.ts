import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { toDoctorPage } from '../../../gateway/doctor/docs.ts'

test('docs/doctor.md is what the checks say; UPDATE=1 writes it', async () => {
  const file = new URL('../../../docs/doctor.md', import.meta.url)
  const page = toDoctorPage()
  if (process.env.UPDATE) await writeFile(file, page)
  expect(await readFile(file, 'utf8')).toBe(page)
})
