<?php

// Issue an invoice once, however often the line breaks, then ask until KSeF has decided. Needs php-curl.

declare(strict_types=1);

const FINAL_STATES = ['accepted', 'rejected', 'exempt'];
const SALE = [
    'buyer' => [
        'nip' => '5260250274',
        'name' => 'Ministerstwo Finansów',
        'address' => ['line1' => 'ul. Świętokrzyska 12', 'line2' => '00-916 Warszawa'],
    ],
    'prices' => 'gross',
    'lines' => [
        ['name' => 'Kawa ziarnista 1 kg', 'quantity' => '2', 'unit' => 'szt.', 'unit_price' => '64.90', 'vat' => '23'],
    ],
    'payments' => [['method' => 'card', 'amount' => '129.80']],
    'external_ref' => 'order-4711',
];

/** Ask until there is an answer; a POST has a key, so that a repeat never makes a second invoice. */
function call(string $path, ?array $body = null, ?string $key = null): array
{
    $headers = ['Authorization: Bearer ' . getenv('TOKEN')];
    $options = [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 90];
    if ($body !== null) {
        $headers[] = 'Content-Type: application/json';
        $headers[] = "Idempotency-Key: $key";
        $options[CURLOPT_POSTFIELDS] = json_encode($body, JSON_THROW_ON_ERROR);
    }
    while (true) {
        $curl = curl_init(getenv('API') . $path);
        curl_setopt_array($curl, $options + [CURLOPT_HTTPHEADER => $headers]);
        $text = curl_exec($curl);
        $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        curl_close($curl);
        $answer = is_string($text) ? json_decode($text, true) : null;
        if (is_array($answer) && $status < 400) {
            return $answer;
        }
        if (is_array($answer) && !$answer['retry_safe']) {
            fwrite(STDERR, "{$answer['code']}: {$answer['detail']}\n");
            exit(1);
        }
        sleep(1); // no answer: nobody knows whether it was issued, and the same key tells
    }
}

$key = bin2hex(random_bytes(16)); // made when the basket begins, and kept until there is an answer
$invoice = call('/v1/invoices', SALE, $key);
echo "{$invoice['number']} {$invoice['mode']} {$invoice['hand_over']}\n";
for ($asked = 0; $asked < 60; $asked++) {
    $invoice = call("/v1/invoices/{$invoice['id']}");
    if (in_array($invoice['state'], FINAL_STATES, true)) {
        break;
    }
    sleep(2);
}
echo "{$invoice['state']} {$invoice['ksef_number']}\n";
