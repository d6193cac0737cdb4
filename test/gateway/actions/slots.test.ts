import { expect, test } from 'vitest'
import { createSlots } from '../../../gateway/actions/slots.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import { settled } from '../../helpers/manual-clock.ts'

const unanswered = () => Promise.reject(new GatewayError('ACTION_FAILED', 'timed out'))

test('runs no more than allowed at once, in the order they came, and a failure frees its slot', async () => {
  const slots = createSlots({ count: 2, isTemplated: false })
  const started: number[] = []
  const work = [0, 1, 2, 3].map(() => Promise.withResolvers<void>())
  const results = work.map(({ promise }, i) =>
    slots
      .run('a', () => {
        started.push(i)
        return promise
      })
      .catch(() => 'failed'),
  )
  await settled()
  expect(started).toEqual([0, 1])
  work[1]?.reject(new Error('no'))
  await settled()
  expect(started).toEqual([0, 1, 2])
  for (const { resolve } of work) resolve()
  expect(await Promise.all(results)).toEqual([undefined, 'failed', undefined, undefined])
  expect(started).toEqual([0, 1, 2, 3])
})

test('leaves half of the slots to targets that have accepted a call', async () => {
  const slots = createSlots({ count: 4, isTemplated: true })
  await slots.run('good', async () => undefined)
  const hanging = Array.from({ length: 100 }, () => Promise.withResolvers<void>())
  let started = 0
  for (const [i, { promise }] of hanging.entries()) {
    void slots.run(`invented ${i}`, () => {
      started++
      return promise
    })
  }
  await settled()
  expect(started).toBe(2)
  await slots.run('good', async () => undefined)
  expect(slots.isFull()).toBe(true)
  for (const { resolve } of hanging) resolve()
  await settled()
  expect(started).toBe(100)
})

test('fails calls to unproven targets at once while such targets do not answer and many calls wait', async () => {
  const slots = createSlots({ count: 4, isTemplated: true })
  for (let i = 0; i < 2; i++) await slots.run(`invented ${i}`, unanswered).catch(() => undefined)
  const hanging = Array.from({ length: 100 }, () => Promise.withResolvers<void>())
  const fates = hanging.map(({ promise }, i) => slots.run(`hanging ${i}`, () => promise).catch(({ code }) => code))
  await settled()
  for (const { resolve } of hanging) resolve()
  const codes = await Promise.all(fates)
  expect(codes.filter((code) => code === 'ACTION_FAILED')).toHaveLength(100 - 2 - 2)
})

test('gives a target that stops answering the place of an unproven one', async () => {
  const slots = createSlots({ count: 4, isTemplated: true })
  await slots.run('a', async () => undefined)
  expect(slots.isProven('a')).toBe(true)
  await slots.run('a', unanswered).catch(() => undefined)
  expect(slots.isProven('a')).toBe(false)
})
