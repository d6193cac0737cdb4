import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createKeyedBuckets, TokenBucket } from '../../../gateway/access/token-bucket.ts'

const take = (bucket: TokenBucket, count: number, now: number) => {
  const had = bucket.has(count, now)
  if (had) bucket.take(count)
  return had
}

test('a second’s worth at once, then as they come back', () => {
  const bucket = new TokenBucket(10, 0)
  for (let i = 0; i < 10; i++) expect(take(bucket, 1, 0)).toBe(true)
  expect(take(bucket, 1, 99)).toBe(false)
  expect(take(bucket, 1, 100)).toBe(true)
  expect(take(bucket, 1, 100)).toBe(false)
})

test('what is larger than the bucket passes when it is full, and is paid back', () => {
  const bucket = new TokenBucket(10, 0)
  expect(take(bucket, 30, 0)).toBe(true)
  expect(take(bucket, 1, 2_000)).toBe(false)
  expect(take(bucket, 1, 2_100)).toBe(true)
})

test('an infinite rate never refuses', () => {
  const bucket = new TokenBucket(Number.POSITIVE_INFINITY, 0)
  for (let i = 0; i < 3; i++) expect(take(bucket, Number.MAX_SAFE_INTEGER, 0)).toBe(true)
})

test('a clock that goes back gives nothing', () => {
  const bucket = new TokenBucket(1, 1_000)
  expect(take(bucket, 1, 1_000)).toBe(true)
  expect(take(bucket, 1, 0)).toBe(false)
})

test('never more than a second’s worth above the rate', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 }), (rate, gaps) => {
      const bucket = new TokenBucket(rate, 0)
      let now = 0
      let taken = 0
      for (const gap of gaps) {
        now += gap
        if (take(bucket, 1, now)) taken++
        expect(taken).toBeLessThanOrEqual(rate + (now * rate) / 1_000 + 1e-3)
      }
    }),
  )
})

test('keys are apart, and forgetting them changes no answer', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0.5, 1, 3),
      fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 1_500 })), { maxLength: 60 }),
      (rate, steps) => {
        const keyed = createKeyedBuckets(rate, 0)
        const kept = new Map(['a', 'b', 'c'].map((key) => [key, new TokenBucket(rate, 0)]))
        let now = 0
        for (const [key, gap] of steps) {
          now += gap
          expect(take(keyed.of(key, now), 1, now)).toBe(take(kept.get(key)!, 1, now))
        }
      },
    ),
  )
})

test('strangers do not fill the memory', () => {
  const keyed = createKeyedBuckets(1, 0)
  for (let now = 0; now < 100_000; now += 10) keyed.of(`stranger ${now}`, now)
  expect(keyed.size()).toBeLessThanOrEqual(201)
})
