import { expect, test } from 'vitest'
import { outcomesOf } from '../../../gateway/aws/batch-answers.ts'

const codes = (answer: Parameters<typeof outcomesOf>[0]) => outcomesOf(answer, 3, ({ Code }) => Code)

test('each entry has its own answer, in whatever order they come', () => {
  expect(codes({ Successful: [{ Id: '2' }, { Id: '0' }], Failed: [{ Id: '1', Code: 'InternalError' }] })).toEqual([
    undefined,
    'InternalError',
    undefined,
  ])
})

test('an entry that is not spoken of was not accepted', () => {
  expect(codes({})).toEqual(['NoAnswer', 'NoAnswer', 'NoAnswer'])
  expect(codes({ Successful: [{ Id: '0' }, {}], Failed: null })).toEqual([undefined, 'NoAnswer', 'NoAnswer'])
  expect(codes({ Successful: null, Failed: [{ Code: 'InternalError' }, { Id: '7' }] })).toEqual(['NoAnswer', 'NoAnswer', 'NoAnswer'])
})

test('an entry that is both accepted and failed has failed', () => {
  expect(codes({ Successful: [{ Id: '0' }, { Id: '1' }, { Id: '2' }], Failed: [{ Id: '1', Code: 'InternalError' }] })[1]).toBe(
    'InternalError',
  )
})
