import { expect, test } from 'vitest'
import { targetName, toActionError, toEntryError } from '../../../gateway/actions/aws-errors.ts'
import { sdkError } from '../../helpers/delivery.ts'

const at = { action: 'sqs', target: 'telemetry' }
const blamed = { ...at, noun: 'queue' }

test.each([
  ['QueueDoesNotExist', 400, 'ACTION_TARGET_MISSING'],
  ['AWS.SimpleQueueService.NonExistentQueue', 400, 'ACTION_TARGET_MISSING'],
  ['NotFoundException', 404, 'ACTION_TARGET_MISSING'],
  ['AWS.SimpleQueueService.InvalidParameterValue', 400, 'ACTION_REFUSED'],
  ['InvalidMessageContents', 400, 'ACTION_REFUSED'],
  ['BatchRequestTooLong', 400, 'ACTION_REFUSED'],
  ['ThrottlingException', 400, 'ACTION_FAILED'],
  ['RequestThrottled', 403, 'ACTION_FAILED'],
  ['AccessDeniedException', 403, 'ACTION_FAILED'],
  ['ExpiredToken', 403, 'ACTION_FAILED'],
  ['KmsDisabled', 400, 'ACTION_FAILED'],
  ['InternalFailure', 500, 'ACTION_FAILED'],
  ['UnrecognizedClientException', 400, 'ACTION_FAILED'],
  ['InvalidSecurity', 403, 'ACTION_FAILED'],
  ['NotAuthorized', 400, 'ACTION_FAILED'],
  ['ServiceUnavailable', 503, 'ACTION_FAILED'],
])('%s with status %i is %s', (name, status, code) => {
  expect(toActionError(sdkError(name, status), blamed)).toMatchObject({ code, details: at })
})

test.each([
  [Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:4566'), { code: 'ECONNREFUSED' }), 'SQS does not answer (ECONNREFUSED)'],
  [Object.assign(new Error('slow'), { name: 'TimeoutError' }), 'SQS does not answer (timed out)'],
])('a network that fails passes', (error, message) => {
  expect(toActionError(error, blamed)).toMatchObject({ code: 'ACTION_FAILED', message })
})

test.each([200, 302, 400, 404, 407, 413])('a page of a proxy, with status %i, passes', (status) => {
  for (const name of ['SyntaxError', 'Unknown', 'UnknownError', 'Error'])
    expect(toActionError(sdkError(name, status), blamed).code).toBe('ACTION_FAILED')
})

test('the prefix of emulators is not shown', () => {
  expect(toActionError(sdkError('AWS.SimpleQueueService.InvalidParameterValue', 400, 'bad group'), blamed).message).toBe(
    'SQS did not take the message for "telemetry": InvalidParameterValue (bad group)',
  )
})

test('an entry of a batch is the fault of the sender, or will pass', () => {
  expect(toEntryError({ Code: 'InvalidMessageContents', SenderFault: true }, blamed).code).toBe('ACTION_REFUSED')
  expect(toEntryError({ Code: 'ThrottlingException', SenderFault: true }, blamed).code).toBe('ACTION_FAILED')
  expect(toEntryError({ Code: 'InternalError', SenderFault: false }, blamed).code).toBe('ACTION_FAILED')
  expect(toEntryError({}, blamed).code).toBe('ACTION_FAILED')
})

test('a target is called by its name', () => {
  expect(targetName('http://127.0.0.1:4566/000000000000/telemetry')).toBe('telemetry')
  expect(targetName('arn:aws:sns:us-east-1:000000000000:alerts')).toBe('alerts')
  expect(targetName('telemetry')).toBe('telemetry')
})
