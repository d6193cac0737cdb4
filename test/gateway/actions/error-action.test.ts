import { expect, test } from 'vitest'
import { toGatewayError } from '../../../gateway/actions/action.ts'
import { toErrorEnvelope } from '../../../gateway/actions/error-action.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import { createMessage } from '../../helpers/delivery.ts'

const read = (envelope: Uint8Array) => JSON.parse(Buffer.from(envelope).toString())

test('the envelope has the members that AWS documents', () => {
  const error = new GatewayError('ACTION_REFUSED', 'SQS did not take the message', { details: { action: 'sqs', target: 'telemetry' } })
  const message = createMessage({ payload: Buffer.from([0xff, 0]), trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' })
  expect(read(toErrorEnvelope('cold', message, [{ action: 'sqs', error }]))).toEqual({
    ruleName: 'cold',
    topic: message.topic,
    cloudwatchTraceId: '0af76519-16cd-43dd-8448-eb211c80319c',
    clientId: 'freezer-1',
    base64OriginalPayload: '/wA=',
    failures: [
      {
        failedAction: 'SqsAction',
        failedResource: 'telemetry',
        errorMessage:
          'Failed to deliver the message. The error received was ACTION_REFUSED: SQS did not take the message. ' +
          `Message arrived on: ${message.topic}, Action: sqs, Resource: telemetry`,
      },
    ],
  })
})

test('every failure is in it, and those that are not ours keep their text to themselves', () => {
  const failures = [
    { action: 'http', error: toGatewayError(new TypeError('Cannot read properties of undefined at /srv/secret.js')) },
    { action: 'republish', error: new GatewayError('REPUBLISH_LOOP', 'too often', { cause: new Error('/srv/secret.js') }) },
  ]
  const envelope = toErrorEnvelope('cold', createMessage(), failures)
  expect(read(envelope).failures.map(({ failedAction }: { failedAction: string }) => failedAction)).toEqual([
    'HttpAction',
    'RepublishAction',
  ])
  expect(Buffer.from(envelope).toString()).not.toContain('secret')
})

test('the same message and failures give the same bytes', () => {
  const make = () => toErrorEnvelope('cold', createMessage(), [])
  expect(make()).toEqual(make())
  expect(read(make()).cloudwatchTraceId).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
})
