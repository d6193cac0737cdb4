import { expect, test } from 'vitest'
import { toErrorEnvelope } from '../../../gateway/actions/error-action.ts'
import { traceIdOf } from '../../../gateway/message/trace.ts'
import { createScope } from '../../../gateway/rules/sql/scope.ts'
import { compileTemplate } from '../../../gateway/rules/sql/template.ts'
import { createMessage } from '../../helpers/message.ts'

const environment = { accountId: '123456789012', now: () => 0 }
const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test.each([
  ['a message with a traceparent', { trace: traceparent }, /^0af76519-16cd-43dd-8448-eb211c80319c$/],
  ['a message without one', {}, uuid],
  ['a message whose traceparent is malformed', { trace: '00-0af7-b7ad-01' }, uuid],
])('SQL and the error envelope give %s the same trace id', (_, more, form) => {
  const message = createMessage({}, more)
  const { cloudwatchTraceId } = JSON.parse(Buffer.from(toErrorEnvelope('cold', message, [])).toString())
  expect(cloudwatchTraceId).toMatch(form)
  expect(compileTemplate('${traceid()}')(createScope(message, environment))).toBe(cloudwatchTraceId)
  expect(traceIdOf(message)).toBe(cloudwatchTraceId)
})

test('messages without a traceparent have different trace ids', () => {
  expect(traceIdOf(createMessage({}, { id: 'a' }))).not.toBe(traceIdOf(createMessage({}, { id: 'b' })))
})
