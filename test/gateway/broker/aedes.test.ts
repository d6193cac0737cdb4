// The members of aedes that the broker relies on.
import { Aedes } from 'aedes'
import { expect, test } from 'vitest'
import { type BrokerMembers, checkAedes, expectMembers } from '../../../gateway/broker/aedes-members.ts'

test('the installed version of aedes has every member that the broker needs', async () => {
  await expect(checkAedes((options) => new Aedes(options) as unknown as BrokerMembers)).resolves.toBeUndefined()
})

test('a broker does not start with a version that lacks a member', async () => {
  class Other extends Aedes {
    deleteClient = undefined
  }
  await expect(checkAedes((options) => new Other(options) as unknown as BrokerMembers)).rejects.toThrow('no deleteClient')
})

test('names the member that another version lacks', () => {
  const members = { connackSent: (value: unknown) => value === false, _will: (value: unknown) => value === null }
  expect(() => expectMembers({ connackSent: false }, members)).toThrow('aedes: this version has no _will as the broker needs it')
})
