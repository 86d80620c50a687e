import { expect, it } from 'vitest';
import { keyOf, parseSecret, signedHeaders } from './signature.js';

it('signs as the Standard Webhooks specification shows it', () => {
  // The example of the reference implementations (standard-webhooks/standard-webhooks, libraries/).
  const key = parseSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const headers = signedHeaders([key], 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}');
  expect(headers).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

it('signs with each key while a secret is changed', () => {
  const keys = ['a', 'b'].map((letter) => parseSecret(`whsec_${Buffer.alloc(24, letter).toString('base64')}`));
  expect(signedHeaders(keys, 'x', 1, '{}')['webhook-signature'].split(' ')).toHaveLength(2);
});

it('takes any text as a key, and Base64 behind the prefix', () => {
  expect(keyOf('a text')).toEqual(Buffer.from('a text'));
  expect(keyOf('whsec_AAEC')).toEqual(Buffer.from([0, 1, 2]));
});

it.each(['', 'whsec_', 'secret', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_c2hvcnQ=', 'whsec_!!!!'])(
  'refuses the secret %j',
  (secret) => {
    expect(() => parseSecret(secret)).toThrow('whsec_');
  },
);
