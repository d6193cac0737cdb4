import { expect, test } from 'vitest'
import { masked } from '../../../gateway/observe/mask.ts'
import { insideOf } from '../../helpers/inside.ts'

test.each([
  ['unknown unit `K`', 'unknown unit `K`'],
  ['the endpoint answered 503', 'the endpoint answered 503'],
  ['topic dt/coldchain/acme/truck-7 is odd', 'topic dt/coldchain/acme/truck-7 is odd'],
  ['value 3.14 at 12:30:05 is odd', 'value 3.14 at 12:30:05 is odd'],
  ['boom at Object.<anonymous> (/srv/app/handler.ts:10:3)', 'boom***'],
  ['boom at async run (node:internal/process/task_queues:105:5) again', 'boom*** again'],
  ['cannot open /var/lib/weir/spool/1.seg: EACCES', 'cannot open ***: EACCES'],
  ['C:\\Users\\bob\\handler.js is broken', '*** is broken'],
  ['file:///srv/app/x.mjs:1:1 is broken', '*** is broken'],
  ['handlers/thermostat.ts:7 gave up', '*** gave up'],
  ['Cannot find module @smithy/core', 'Cannot find module ***'],
  ['connect ECONNREFUSED 10.0.0.7:5432', 'connect ECONNREFUSED ***'],
  ['getaddrinfo ENOTFOUND db', 'getaddrinfo ENOTFOUND ***'],
  ['https://bob:pw@api.acme.com:8443/v1 answered 500', 'https://***/v1 answered 500'],
  ['db-7.prod.internal:5432 is away', '*** is away'],
  [
    'User: arn:aws:sts::123456789012:assumed-role/weir is not authorized to perform: sqs:sendmessage',
    'User: *** is not authorized to perform: sqs:sendmessage',
  ],
  ['password=hunter2 is wrong\nand more', '*** is wrong'],
])('%j', (text, left) => {
  expect(masked(text)).toBe(left)
  expect(insideOf(masked(text))).toEqual([])
})

test('long sentences are cut before they are looked at', () => {
  for (const part of ['a/', '/a', 'at a.', '1.', 'a.b-', '@a/', ' at ', '\\'])
    expect(masked(part.repeat(50_000)).length).toBeLessThan(1_100)
})
