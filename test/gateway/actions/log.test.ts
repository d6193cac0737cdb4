import { expect, test } from 'vitest'
import { log } from '../../../gateway/actions/log.ts'
import { createDelivery, createDeps, delivered } from '../../helpers/delivery.ts'

const signal = new AbortController().signal

test.each([
  [{}, 'warm', 'warm'],
  [{ maxBytes: 2 }, 'warm', 'wa…'],
  [{ maxBytes: 0 }, 'warm', undefined],
])('with %o it shows as much of the result as it may', async (params, body, detail) => {
  const deps = createDeps()
  await delivered(log.bind(log.params.parse(params), deps), createDelivery({ body }), signal)
  const [fields] = deps.observe.of('action.logged')
  expect(fields).toMatchObject({ rule: 'telemetry', topic: 'dt/coldchain/acme/truck-7/freezer-1/telemetry', bytes: 4 })
  expect(fields?.detail).toBe(detail)
})
