#!/bin/sh
# Issue an invoice once, however often the line breaks, then ask until KSeF has decided. Needs curl and,
# to read JSON, python3; API and TOKEN.
set -eu

key=${KEY:-basket-$$-$(date +%s)} # made when the basket begins, and kept until there is an answer
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

field() { # a field of the answer, nothing for null
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1], "rb")).get(sys.argv[2]) or "")' "$answer" "$1"
}

until curl --silent --show-error --fail-with-body --max-time 90 --output "$answer" "$API/v1/invoices" \
    --header "Authorization: Bearer $TOKEN" --header "Idempotency-Key: $key" \
    --json '{
      "buyer": {"nip": "5260250274", "name": "Ministerstwo Finansów",
                "address": {"line1": "ul. Świętokrzyska 12", "line2": "00-916 Warszawa"}},
      "prices": "gross",
      "lines": [{"name": "Kawa ziarnista 1 kg", "quantity": "2", "unit": "szt.", "unit_price": "64.90", "vat": "23"}],
      "payments": [{"method": "card", "amount": "129.80"}],
      "external_ref": "order-4711"
    }'
do
    # a problem that a repeat cannot mend ends it; everything else is asked again with the same key
    if grep -q '"retry_safe": *false' "$answer"; then
        echo "$(field code): $(field detail)" >&2
        exit 1
    fi
    sleep 1
done
echo "$(field number) $(field mode) $(field hand_over)"
id=$(field id)

for _ in $(seq 60); do
    curl --silent --show-error --fail-with-body --max-time 90 --output "$answer" \
        --header "Authorization: Bearer $TOKEN" "$API/v1/invoices/$id"
    case $(field state) in accepted | rejected | exempt) break ;; esac
    sleep 2
done
echo "$(field state) $(field ksef_number)"
