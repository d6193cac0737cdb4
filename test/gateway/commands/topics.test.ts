import { expect, test } from 'vitest'
import { isCommandName, responseId, topicsFor } from '../../../gateway/commands/topics.ts'

const base = 'cmd/coldchain/acme/truck-1/f-1'

test.each<[what: string, filters: string[], found: boolean]>([
  ['the convention', [`${base}/+/req/+`], true],
  ['one command only', [`${base}/ping/req/+`], true],
  ['all below it', [`${base}/#`], true],
  ['any name and all below', [`${base}/+/#`], true],
  ['among others', ['dt/#', `${base}/+/req/+`], true],
  ['another command', [`${base}/reboot/req/+`], false],
  ['another device', ['cmd/coldchain/acme/truck-1/f-2/+/req/+'], false],
  ['a filter over many devices', ['cmd/coldchain/+/+/f-1/+/req/+'], false],
  ['everything', ['#'], false],
  ['nothing', [], false],
])('%s', (_, filters, found) => {
  const topics = { request: `${base}/ping/req/7`, response: `${base}/ping/res/7` }
  expect(topicsFor('f-1', filters, 'ping', '7')).toEqual(found ? topics : undefined)
})

test.each([
  ['ping', true],
  ['set-interval', true],
  ['a/b', false],
  ['+', false],
  ['#', false],
  ['', false],
  ['$sys', false],
  ['a\0', false],
])('%j is a name: %s', (name, is) => expect(isCommandName(name)).toBe(is))

test.each([
  [`${base}/ping/res/7`, '7'],
  [`${base}/ping/req/7`, undefined],
  ['dt/a', undefined],
  ['res/7', undefined],
  ['', undefined],
])('the id of %j is %s', (topic, id) => expect(responseId(topic)).toBe(id))
