import { describe, expect, test } from 'vitest'
import { maxWaitingPerSource } from '../../../gateway/access/login-queue.ts'
import { createVerifier, hashPattern, hashSecret, type Verifier } from '../../../gateway/access/secrets.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

/** Its delays pass at once. */
const newVerifier = () => {
  let now = 0
  const sleep = async (ms: number) => {
    now += ms
  }
  return createVerifier({ clock: { monotonic: () => now, sleep } })
}
const check = (verifier: Verifier, secret: string, stored: string | undefined, name = 'dev', source = '192.0.2.1') =>
  verifier.verify({ secret, stored, name, source })

const stored = await hashSecret('correct horse', Buffer.alloc(16, 7))

test('a hash names its cost and its salt, and never the secret', async () => {
  expect(stored).toMatch(hashPattern)
  expect(stored).not.toContain('horse')
  expect(await hashSecret('correct horse', Buffer.alloc(16, 7))).toBe(stored)
  expect(await hashSecret('correct horse')).not.toBe(stored)
})

test('the right secret, and no other', async () => {
  const verifier = newVerifier()
  expect(await check(verifier, 'correct horse', stored)).toBe(true)
  expect(await check(verifier, 'correct horse', stored)).toBe(true)
  expect(await check(verifier, 'correct horse ', stored)).toBe(false)
  expect(await check(verifier, '', stored)).toBe(false)
})

test('what was right for one hash is not right for another', async () => {
  const verifier = newVerifier()
  const other = await hashSecret('other', Buffer.alloc(16, 8))
  expect(await check(verifier, 'correct horse', stored)).toBe(true)
  expect(await check(verifier, 'correct horse', other)).toBe(false)
  expect(await check(verifier, 'correct horse', undefined)).toBe(false)
})

test('the same letters typed on another keyboard are the same secret', async () => {
  const composed = await hashSecret('caf\u00e9')
  expect(await check(newVerifier(), 'cafe\u0301', composed)).toBe(true)
})

describe('what never matches', () => {
  test.each([
    ['a broken hash', 'correct horse', '$scrypt$'],
    ['a cost that would take the machine', 'correct horse', stored.replace('ln=14', 'ln=30')],
    ['a plain secret in the place of a hash', 'correct horse', 'correct horse'],
    ['a secret longer than anybody types', 'x'.repeat(2_000), stored],
  ])('%s', async (_what, secret, hash) => {
    expect(await check(newVerifier(), secret, hash)).toBe(false)
  })
})

describe('a flood of wrong logins', () => {
  const flood = (verifier: Verifier, count: number, source: string) =>
    Promise.allSettled(Array.from({ length: count }, (_, i) => check(verifier, `guess ${i}`, '$scrypt$', `user ${i}`, source)))

  test('is bounded for each source address', async () => {
    const outcomes = await flood(newVerifier(), 200, '192.0.2.1')
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    // One attempt is being checked while the others arrive.
    expect(refused).toHaveLength(200 - maxWaitingPerSource - 1)
    expect(refused[0]).toMatchObject({ reason: { code: 'RATE_EXCEEDED', retryable: true } })
  })

  test('refuses no login from another address', async () => {
    const verifier = newVerifier()
    const wrong = flood(verifier, 1_000, '192.0.2.1')
    expect(await check(verifier, 'correct horse', stored, 'dev', '192.0.2.2')).toBe(true)
    await wrong
  })

  test('of the same name does not delay the right login from another address', async () => {
    const clock = createManualClock()
    const verifier = createVerifier({ clock })
    expect(await check(verifier, 'wrong', stored, 'dev', '192.0.2.1')).toBe(false)
    expect(await check(verifier, 'correct horse', stored, 'dev', '192.0.2.2')).toBe(true)
  })

  test('lets a right login of another name through that comes last from the same address', async () => {
    const verifier = newVerifier()
    const wrong = Promise.allSettled(Array.from({ length: 200 }, (_, i) => check(verifier, `guess ${i}`, '$scrypt$', 'guessed')))
    expect(await check(verifier, 'correct horse', stored, 'dev')).toBe(true)
    await wrong
  })
})

test('the same wrong secret sent again is not derived again', async () => {
  const clock = createManualClock()
  const verifier = createVerifier({ clock })
  const same = await Promise.all(Array.from({ length: 100 }, () => check(verifier, 'outdated', stored)))
  expect(new Set(same)).toEqual(new Set([false]))
  // A second derivation of this name would wait for the clock.
  expect(await check(verifier, 'outdated', stored)).toBe(false)
})
