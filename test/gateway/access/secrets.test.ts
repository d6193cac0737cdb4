import { describe, expect, test } from 'vitest'
import { createVerifier, hashPattern, hashSecret } from '../../../gateway/access/secrets.ts'

const stored = await hashSecret('correct horse', Buffer.alloc(16, 7))

test('a hash names its cost and its salt, and never the secret', async () => {
  expect(stored).toMatch(hashPattern)
  expect(stored).not.toContain('horse')
  expect(await hashSecret('correct horse', Buffer.alloc(16, 7))).toBe(stored)
  expect(await hashSecret('correct horse')).not.toBe(stored)
})

test('the right secret, and no other', async () => {
  const verifier = createVerifier()
  expect(await verifier.verify('correct horse', stored)).toBe(true)
  expect(await verifier.verify('correct horse', stored)).toBe(true)
  expect(await verifier.verify('correct horse ', stored)).toBe(false)
  expect(await verifier.verify('', stored)).toBe(false)
})

test('what was right for one hash is not right for another', async () => {
  const verifier = createVerifier()
  const other = await hashSecret('other', Buffer.alloc(16, 8))
  expect(await verifier.verify('correct horse', stored)).toBe(true)
  expect(await verifier.verify('correct horse', other)).toBe(false)
  expect(await verifier.verify('correct horse', undefined)).toBe(false)
})

test('the same letters typed on another keyboard are the same secret', async () => {
  const composed = await hashSecret('caf\u00e9')
  expect(await createVerifier().verify('cafe\u0301', composed)).toBe(true)
})

describe('what never matches', () => {
  test.each([
    ['a broken hash', 'correct horse', '$scrypt$'],
    ['a cost that would take the machine', 'correct horse', stored.replace('ln=14', 'ln=30')],
    ['a plain secret in the place of a hash', 'correct horse', 'correct horse'],
    ['a secret longer than anybody types', 'x'.repeat(2_000), stored],
  ])('%s', async (_what, secret, hash) => {
    expect(await createVerifier().verify(secret, hash)).toBe(false)
  })
})

test('a crowd is turned away instead of queued for ever', async () => {
  const verifier = createVerifier()
  const broken = Array.from({ length: 100 }, (_, i) => verifier.verify(`guess ${i}`, '$scrypt$'))
  const outcomes = await Promise.allSettled(broken)
  const refused = outcomes.filter(({ status }) => status === 'rejected')
  expect(refused).toHaveLength(36)
  expect(refused[0]).toMatchObject({ reason: { code: 'RATE_EXCEEDED', retryable: true } })
  expect(await verifier.verify('correct horse', stored)).toBe(true)
})
