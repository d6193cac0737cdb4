import { expect, test } from 'vitest'
import { nearest } from '../../lib/nearest.ts'

test.each([
  ['queueURL', ['queueUrl', 'useBase64'], 'queueUrl'],
  ['lisen', ['listen', 'local'], 'listen'],
  ['ruels', ['rules', 'spool'], 'rules'],
  ['banana', ['rules', 'spool'], undefined],
  ['sq', ['sqs', 'sns'], 'sqs'],
])('%s of %j is %s', (word, candidates, meant) => expect(nearest(word, candidates)).toBe(meant))
