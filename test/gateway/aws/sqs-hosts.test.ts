import { expect, test } from 'vitest'
import { isSqsUrl } from '../../../gateway/aws/sqs-hosts.ts'

test.each([
  'sqs.us-east-1.amazonaws.com',
  'sqs.us-gov-west-1.amazonaws.com',
  'sqs-fips.us-east-2.amazonaws.com',
  'sqs.cn-north-1.amazonaws.com.cn',
  'sqs.eu-west-1.api.aws',
  'sqs-fips.us-west-2.api.aws',
  'sqs.cn-northwest-1.api.amazonwebservices.com.cn',
  'sqs.eusc-de-east-1.amazonaws.eu',
  'sqs.us-iso-east-1.c2s.ic.gov',
  'sqs.us-isob-east-1.sc2s.sgov.gov',
  'queue.amazonaws.com',
  'eu-central-1.queue.amazonaws.com',
  'cn-north-1.queue.amazonaws.com.cn',
  'vpce-0a1b2c-xyz.sqs.us-east-1.vpce.amazonaws.com',
  'vpce-0a1b2c-xyz-us-east-1a.sqs.us-east-1.vpce.amazonaws.com',
  'SQS.us-east-1.AMAZONAWS.com:443',
])('%s is a host of SQS', (host) => expect(isSqsUrl(new URL(`https://${host}/000000000000/q`))).toBe(true))

test.each([
  'https://evil.example/',
  'https://sqs.us-east-1.amazonaws.com.evil.example/',
  'https://sqs.us-east-1.amazonaws.com@evil.example/',
  'https://user@sqs.us-east-1.amazonaws.com/',
  'https://evil.example\\sqs.us-east-1.amazonaws.com/',
  'https://sqs.us-east-1.amazonaws.com:8443/',
  'http://sqs.us-east-1.amazonaws.com/',
  'https://bucket.s3.us-east-1.amazonaws.com/',
  'https://sqs.s3.amazonaws.com/',
  'https://a.execute-api.us-east-1.amazonaws.com/',
  'https://sqs.evil.us-east-1.amazonaws.com/',
  'https://xsqs.us-east-1.amazonaws.com/',
  'https://sqs-us-east-1.amazonaws.com/',
  'https://my.sqs.us-east-1.vpce.amazonaws.com/',
  'https://evil.queue.amazonaws.com/',
])('%s is not', (url) => expect(isSqsUrl(new URL(url))).toBe(false))
