import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { contradictions, gaps } from '../../../../gateway/rules/sql/choices.ts'
import { sqlDocs } from '../../../../gateway/rules/sql/docs.ts'

const page = new URL('../../../../docs/sql.md', import.meta.url)

test('docs/sql.md is what the tables say; UPDATE=1 writes it', () => {
  if (process.env.UPDATE) {
    mkdirSync(new URL('.', page), { recursive: true })
    writeFileSync(page, sqlDocs())
  }
  expect(readFileSync(page, 'utf8')).toBe(sqlDocs())
})

test('every choice of the reference is listed', () => {
  expect(Object.keys(contradictions)).toEqual(Array.from({ length: 16 }, (_, i) => `X-${i + 1}`))
  expect(Object.keys(gaps)).toEqual(Array.from({ length: 39 }, (_, i) => `U-${i + 1}`))
})
