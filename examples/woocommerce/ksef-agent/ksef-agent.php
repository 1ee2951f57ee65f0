<?php

/**
 * Plugin Name: KSeF invoices by ksef-agent
 * Description: Issues the invoice of a completed order through the ksef-agent of the shop and shows its number.
 * Requires Plugins: woocommerce
 * Requires PHP: 8.1
 * Version: 1.0
 * License: MIT
 *
 * Settings, in wp-config.php: KSEF_AGENT_API (https://… of a proxy before the agent, or http://127.0.0.1:8780 on the same
 * machine), KSEF_AGENT_TOKEN (role cashier), KSEF_AGENT_SECRET (of [outbox], for the number that comes later).
 */

declare(strict_types=1);

namespace KsefAgent;

use RuntimeException;
use WC_Order;
use WC_Tax;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

defined('ABSPATH') || exit;

const ISSUE = 'ksef_agent_issue';
const AGAIN_SECONDS = 300;
const OLDEST_SECONDS = 300; // of a webhook: a recorded one must not be played back
const RATES = [23, 8, 5]; // P_12 of these is the number itself

add_action('before_woocommerce_init', static function (): void {
    if (class_exists('\Automattic\WooCommerce\Utilities\FeaturesUtil')) {
        \Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility('custom_order_tables', __FILE__, true);
    }
});
// Not in the request that completes the order: the customer waits there. Action Scheduler keeps the task.
add_action('woocommerce_order_status_completed', static function (int $order_id): void {
    as_enqueue_async_action(ISSUE, [$order_id], 'ksef-agent', true);
});
add_action(ISSUE, __NAMESPACE__ . '\issue');
add_action('woocommerce_admin_order_data_after_billing_address', __NAMESPACE__ . '\show_to_the_shop');
add_action('woocommerce_order_details_after_order_table', __NAMESPACE__ . '\show_to_the_customer');
add_action('rest_api_init', static function (): void {
    register_rest_route('ksef-agent/v1', '/events', [
        'methods' => 'POST',
        'callback' => __NAMESPACE__ . '\take_event',
        'permission_callback' => '__return_true', // the signature decides
    ]);
});

/** Issue once, however often this runs: the order's number is the key. */
function issue(int $order_id): void
{
    $order = wc_get_order($order_id);
    if (!$order instanceof WC_Order || $order->get_meta('_ksef_agent_id')) {
        return;
    }
    try {
        $sale = sale_of($order);
    } catch (RuntimeException $error) {
        $order->add_order_note("Nie wystawiono faktury: {$error->getMessage()}");
        return;
    }
    $answer = wp_remote_post(KSEF_AGENT_API . '/v1/invoices', [
        'timeout' => 90,
        'headers' => [
            'Authorization' => 'Bearer ' . KSEF_AGENT_TOKEN,
            'Content-Type' => 'application/json',
            'Idempotency-Key' => "woocommerce-$order_id",
        ],
        'body' => wp_json_encode($sale),
    ]);
    $status = (int) wp_remote_retrieve_response_code($answer);
    $told = json_decode(wp_remote_retrieve_body($answer), true);
    if ($answer instanceof WP_Error || !is_array($told) || ($status >= 400 && $told['retry_safe'])) {
        // Nobody knows whether it was issued, or not now: the same key tells later.
        as_schedule_single_action(time() + AGAIN_SECONDS, ISSUE, [$order_id], 'ksef-agent', true);
        return;
    }
    if ($status >= 400) {
        $order->add_order_note("Nie wystawiono faktury: {$told['detail']} ({$told['code']})");
        return;
    }
    keep($order, $told);
    $order->add_order_note("Faktura {$told['number']}. {$told['hand_over']}");
}

/** The sale as docs/api.md describes it. What a line costs is gross and as WooCommerce counted it, after coupons. */
function sale_of(WC_Order $order): array
{
    $lines = [];
    foreach ($order->get_items(['line_item', 'shipping', 'fee']) as $item) {
        $quantity = (float) $item->get_quantity();
        $gross = (float) $item->get_total() + (float) $item->get_total_tax();
        if ($gross <= 0 || $quantity <= 0) {
            continue; // free shipping and the like
        }
        $product = method_exists($item, 'get_product') ? $item->get_product() : null;
        $lines[] = array_filter([
            'name' => $item->get_name(),
            'quantity' => decimal($quantity, 6),
            'unit_price' => decimal($gross / $quantity, 8),
            'vat' => rate_of($item),
            'sku' => $product ? $product->get_sku() : '',
        ], static fn (string $text): bool => $text !== '');
    }
    $company = $order->get_billing_company();
    $person = trim("{$order->get_billing_first_name()} {$order->get_billing_last_name()}");
    $buyer = [
        'name' => $company !== '' ? $company : $person,
        'address' => array_filter([
            'line1' => trim("{$order->get_billing_address_1()} {$order->get_billing_address_2()}"),
            'line2' => trim("{$order->get_billing_postcode()} {$order->get_billing_city()}"),
            'country' => $order->get_billing_country(),
        ]),
    ];
    $nip = (string) $order->get_meta('_billing_nip'); // where the shop's field for it keeps it
    return [
        'buyer' => array_filter($buyer + ['nip' => $nip, 'email' => $order->get_billing_email()]),
        'prices' => 'gross',
        'lines' => $lines,
        'payments' => [['method' => method_of($order), 'amount' => decimal((float) $order->get_total(), 2)]],
        'currency' => $order->get_currency(),
        'external_ref' => (string) $order->get_id(),
        'print' => false, // nobody stands at a counter; the agent's PDF is what to send
    ];
}

/** P_12: the percent of the item's tax. Exempt and foreign rates are a decision of the shop: see README.md. */
function rate_of(object $item): string
{
    foreach (array_keys(array_filter($item->get_taxes()['total'] ?? [])) as $rate_id) {
        $percent = (int) round((float) WC_Tax::get_rate_percent_value($rate_id));
        if (in_array($percent, RATES, true)) {
            return (string) $percent;
        }
    }
    throw new RuntimeException("{$item->get_name()}: brak stawki VAT, którą można podać na fakturze");
}

function method_of(WC_Order $order): string
{
    return match ($order->get_payment_method()) {
        'cod' => 'cash',
        'cheque' => 'cheque',
        default => 'transfer',
    };
}

function decimal(float $value, int $places): string
{
    return number_format($value, $places, '.', '');
}

/** What the agent says of the invoice, with the order. */
function keep(WC_Order $order, array $invoice): void
{
    $order->update_meta_data('_ksef_agent_id', $invoice['id']);
    $order->update_meta_data('_ksef_agent_number', $invoice['number']);
    $order->update_meta_data('_ksef_number', $invoice['ksef_number'] ?? '');
    $order->save();
}

/** A webhook of the agent (docs/webhooks.md): the KSeF number comes seconds or hours after the invoice. */
function take_event(WP_REST_Request $request): WP_REST_Response
{
    if (!is_signed($request->get_header('X-Ksef-Agent-Signature') ?? '', $request->get_body(), time())) {
        return new WP_REST_Response(null, 401);
    }
    $event = json_decode($request->get_body(), true);
    $order = wc_get_order((int) ($event['invoice']['external_ref'] ?? 0));
    if ($order instanceof WC_Order && ($event['invoice']['id'] ?? '') === $order->get_meta('_ksef_agent_id')) {
        keep($order, $event['invoice']);
    }
    return new WP_REST_Response(null, 204); // also for what is not ours: else all that follows would wait
}

function is_signed(string $header, string $body, int $now): bool
{
    if (!preg_match('/^t=(\d+),v1=([0-9a-f]{64})$/', $header, $parts) || abs($now - (int) $parts[1]) > OLDEST_SECONDS) {
        return false;
    }
    return hash_equals(hash_hmac('sha256', "$parts[1].$body", KSEF_AGENT_SECRET), $parts[2]);
}

function show_to_the_shop(WC_Order $order): void
{
    echo said($order);
}

function show_to_the_customer(WC_Order $order): void
{
    echo said($order);
}

function said(WC_Order $order): string
{
    $number = (string) $order->get_meta('_ksef_agent_number');
    if ($number === '') {
        return '';
    }
    $ksef = (string) $order->get_meta('_ksef_number');
    return '<p>Faktura ' . esc_html($number) . ($ksef === '' ? '' : ', numer KSeF ' . esc_html($ksef)) . '</p>';
}
