import { expect, test } from 'vitest'
import { limitsSchema, type QuotaName, quotas, quotaValues } from '../../../gateway/access/quotas.ts'

const names = Object.keys(quotas) as QuotaName[]

test('AWS by default', () => {
  const values = quotaValues(limitsSchema.parse(undefined))
  expect(values).toEqual(Object.fromEntries(names.map((name) => [name, quotas[name].value])))
})

test('what differs is named', () => {
  const values = quotaValues(limitsSchema.parse({ publishesPerSecond: 10, subscriptionsPerConnection: 'off' }))
  expect(values).toEqual({ ...quotaValues('aws'), publishesPerSecond: 10, subscriptionsPerConnection: Number.POSITIVE_INFINITY })
})

test('none is no limit at all', () => {
  const { minKeepAliveSeconds, ...upper } = quotaValues('none')
  expect(minKeepAliveSeconds).toBe(0)
  expect(new Set(Object.values(upper))).toEqual(new Set([Number.POSITIVE_INFINITY]))
})

test.each([[{ publishPerSecond: 10 }], [{ publishesPerSecond: 0 }], [{ publishesPerSecond: '10' }], ['azure']])(
  '%j is refused',
  (config) => {
    expect(limitsSchema.safeParse(config).success).toBe(false)
  },
)
