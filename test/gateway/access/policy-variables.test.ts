import { expect, test } from 'vitest'
import { type PolicyContext, parseTemplate } from '../../../gateway/access/policy-variables.ts'
import { compilePattern, patternText } from '../../../gateway/access/wildcards.ts'

const context: PolicyContext = {
  clientId: 'c1',
  sourceIp: '192.0.2.1',
  domainName: 'gw.example',
  thing: { name: 'c1', attachedToPrincipal: true, thingTypeName: 'freezer', attributes: { site: 'truck-7', wild: '*' } },
  certificate: {
    CertificateId: 'ab12',
    SerialNumber: '7',
    Subject: {
      CommonName: ['first', 'second', '3', '4', '5', '6'],
      Organization: ['a=b'],
      Title: ['a*'],
      State: ['x'.repeat(1_025)],
      'AlternativeName.DNSName': ['a.example', 'b.example'],
    },
    Issuer: { Country: ['CH'] },
  },
}

const textOf = (template: string, from: PolicyContext = context) => {
  const pieces = parseTemplate(template).resolve(from)
  return pieces && patternText(pieces)
}

test.each<[template: string, text: string | undefined]>([
  ['${iot:ClientId}/x', 'c1/x'],
  ['${IOT:clientid}', 'c1'],
  ['${aws:SourceIp}', '192.0.2.1'],
  ['${iot:DomainName}', 'gw.example'],
  ['${iot:Connection.Thing.ThingName}', 'c1'],
  ['${iot:Connection.Thing.ThingTypeName}', 'freezer'],
  ['${iot:Connection.Thing.IsAttached}', 'true'],
  ['a/${iot:Connection.Thing.Attributes[site]}/b', 'a/truck-7/b'],
  ['${iot:Connection.Thing.Attributes[Site]}', undefined],
  ['${iot:Connection.Thing.Attributes[toString]}', undefined],
  ['${iot:CertificateId}', 'ab12'],
  ['${iot:Certificate.SerialNumber}', '7'],
  ['${iot:Certificate.AvailableKeys}', undefined],
  ['${iot:Certificate.Subject.CommonName}', 'first'],
  ['${iot:Certificate.Subject.CommonName.0}', undefined],
  ['${iot:Certificate.Subject.CommonName.1}', 'second'],
  ['${iot:Certificate.Subject.CommonName.4}', '5'],
  ['${iot:Certificate.Subject.CommonName.5}', undefined],
  ['${iot:Certificate.Subject.CommonName.List}', undefined],
  ['${iot:Certificate.Subject.Organization}', 'a\\=b'],
  ['${iot:Certificate.Subject.Title}', undefined],
  ['${iot:Certificate.Subject.State}', undefined],
  ['${iot:Certificate.Subject.AlternativeName.DNSName.1}', 'b.example'],
  ['${iot:Certificate.Issuer.Country}', 'CH'],
  ['${iot:Certificate.Issuer.CommonName}', undefined],
  ['${iot:Nonsense}', undefined],
  ['${toString}', undefined],
  ['$aws/things/${iot:ClientId}', '$aws/things/c1'],
  ['a$', 'a$'],
  ['${iot:ClientId', '${iot:ClientId'],
  ['${}', undefined],
])('%j becomes %j', (template, text) => {
  expect(textOf(template)).toBe(text)
})

test('nothing is known of an unregistered client but that it is not attached', () => {
  expect(textOf('${iot:Connection.Thing.ThingName}', { clientId: 'c1', thing: null })).toBeUndefined()
  expect(textOf('${iot:Connection.Thing.IsAttached}', { clientId: 'c1', thing: null })).toBe('false')
})

test('what a variable brings in is literal', () => {
  const pattern = compilePattern(parseTemplate('a/${iot:Connection.Thing.Attributes[wild]}').resolve(context)!)
  expect(pattern('a/*')).toBe(true)
  expect(pattern('a/b')).toBe(false)
})

test.each(['*', '?', '$'])('${%s} is the character itself', (character) => {
  const pattern = compilePattern(parseTemplate(`a\${${character}}b`).resolve({})!)
  expect(pattern(`a${character}b`)).toBe(true)
  expect(pattern('axb')).toBe(false)
})
